"""How far two right outputs of a kernel may differ: what its own number formats round off."""

from __future__ import annotations

from collections.abc import Iterable

from rivulet.kernels.kernel import Kernel

# Sums of floats of 16 bits depend on their order from the third digit on; a step of a quantised
# output is 1/127 of its largest value.
_COARSE = ("float16", "bfloat16", "int8", "uint8")
_LEAST = 2e-2


def allowed_error(tolerance: float, kernels: Iterable[Kernel]) -> float:
    """Largest relative error of an output that counts as right for these kernels.

    Args:
        tolerance: As configured, for floats of 32 bits.
        kernels: The kernels of one model; any of a coarser format makes the answer coarser.
    """
    coarse = any(kernel.dtype in _COARSE for kernel in kernels)
    return max(tolerance, _LEAST) if coarse else tolerance
