"""Shapes, dtypes and roles of a kernel's arguments."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rivulet.tvm_compat.intervals import Interval
from rivulet.tvm_compat.kernel_code import read_code
from rivulet.tvm_compat.value_ranges import plain_range, value_ranges

Argument = tuple[tuple[int, ...], str]
_WEIGHTS = "layout_free_buffers"


@dataclass(frozen=True)
class Call:
    """What a kernel is called with.

    Attributes:
        args: Shape and dtype of each argument, outputs last.
        weights: Positions of the arguments that are weights, or other parameters of the model.
        ranges: Range of values that each argument is drawn from, see
            `rivulet.tvm_compat.value_ranges`; by default that of an argument that nothing is
            asked of.
        written: Positions of the arguments that the kernel stores to.
    """

    args: list[Argument]
    weights: tuple[int, ...] = ()
    ranges: tuple[Interval, ...] = ()
    written: tuple[int, ...] = ()

    def range_of(self, position: int) -> Interval:
        """The range of values of an argument."""
        return self.ranges[position] if self.ranges else plain_range(self.args[position][1])

    def is_plain(self, position: int) -> bool:
        """Whether nothing is asked of an argument's values."""
        return self.range_of(position) == plain_range(self.args[position][1])


def kernel_call(module: Any, packed: bool) -> Call:
    """`kernel_arguments`, and by what role the kernel uses each of them."""
    args = kernel_arguments(module, packed)
    code = read_code(module["main"])
    return Call(args, marked_weights(module), value_ranges(code), code.written)


def marked_weights(module: Any) -> tuple[int, ...]:
    """Positions of the arguments that the model's preparation has marked as weights."""
    marked = module["main"].attrs.get(_WEIGHTS, ())
    return tuple(sorted(int(position) for position in marked))


def model_weight_bytes(kernels: Iterable[tuple[Any, int]]) -> int:
    """Bytes of weights that one inference reads.

    Args:
        kernels: The unscheduled module of each of the model's kernels, and how often it runs.
    """
    total = 0
    for module, runs in kernels:
        args = kernel_arguments(module, packed=False)
        total += runs * sum(argument_bytes(args[i]) for i in marked_weights(module))
    return total


def argument_bytes(argument: Argument) -> int:
    """Size of an argument."""
    import numpy as np

    shape, dtype = argument
    return math.prod(shape) * np.dtype(dtype).itemsize


def kernel_arguments(module: Any, packed: bool) -> list[Argument]:
    """(shape, dtype) of each argument of the kernel ``main``, outputs last.

    Args:
        module: Scheduled or unscheduled ``IRModule``.
        packed: Give weights the layout that the schedule packs them to, as the kernel built for
            inference takes them, and not the original one.
    """
    infos = argument_infos(module, packed)
    return [(tuple(int(n) for n in info.shape), str(info.dtype)) for info in infos]


def argument_infos(module: Any, packed: bool = True) -> Any:
    """The same as MetaSchedule's ``ArgInfo`` list, which its records carry."""
    from tvm.s_tir.meta_schedule.arg_info import ArgInfo

    return ArgInfo.from_entry_func(module, remove_preproc=packed)
