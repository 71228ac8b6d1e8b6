"""Kernels of a model: what is tuned, how it is classed, how much work it is."""

from rivulet.kernels.classes import kernel_class
from rivulet.kernels.kernel import Kernel
from rivulet.kernels.store import load_kernels, save_kernels

__all__ = ["Kernel", "kernel_class", "load_kernels", "save_kernels"]
