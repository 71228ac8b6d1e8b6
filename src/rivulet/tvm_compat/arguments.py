"""Shapes and dtypes of a kernel's arguments."""

from __future__ import annotations

from typing import Any

Argument = tuple[tuple[int, ...], str]


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
