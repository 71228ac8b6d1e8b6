"""Plain schedules for kernels that run a few times: seconds to compile, and no minutes to run.

The loops of an unscheduled kernel take a large model minutes. What is done to them here is what
any CPU gains most by, and the same for all kernels: cheap to compile, and no search.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.blocks import SPATIAL, axis_kinds, called_operators

# Powers of two only: LLVM takes other vectors apart, which is slow to compile and to run.
_LANES = (32, 16, 8, 4)
# Below so many points a loop is over before another thread has begun.
_LEAST_POINTS = 1 << 14


def with_plain_schedules(module: Any) -> Any:
    """Give each kernel of a prepared module parallel outer and vectorised inner loops.

    Args:
        module: ``IRModule`` with ``main`` and its kernels; not changed.

    Returns:
        The module with scheduled kernels; those that cannot be scheduled so are as they were.
    """
    tvm = load_tvm()
    functions = {
        name: _scheduled(function) if isinstance(function, tvm.tirx.PrimFunc) else function
        for name, function in module.functions_items()
    }
    return tvm.IRModule(functions, attrs=module.attrs)


def _scheduled(function: Any) -> Any:
    tvm = load_tvm()
    attributes = dict(function.attrs or {})
    # A schedule changes loops in place where it believes to be the only one that holds them; the
    # module to be searched holds them, too.
    own = tvm.ir.load_json(tvm.ir.save_json(function))
    try:
        schedule = tvm.s_tir.Schedule(own.with_attr("global_symbol", "main"))
        _inline(schedule)
        for block in schedule.get_child_blocks(schedule.get_sblock("root")):
            _schedule_block(schedule, block)
        done = schedule.mod["main"]
    except RuntimeError:  # what TVM's schedule primitives raise; the loops are right as they are
        return function
    if "global_symbol" in attributes:
        return done.with_attr("global_symbol", attributes["global_symbol"])
    return done.without_attr("global_symbol")


def _inline(schedule: Any) -> None:
    """Let element-wise blocks be part of the element-wise blocks that read them.

    Not those that call a function, such as an exponential: it is written out wherever its value is
    read, and the argument of each call that is written out is again in several places.
    """
    for block in reversed(schedule.get_child_blocks(schedule.get_sblock("root"))):
        readers = schedule.get_consumers(block)
        if not readers or called_operators(schedule.get(block)):
            continue
        if not any(_reduces(schedule, one) for one in (block, *readers)):
            with contextlib.suppress(RuntimeError):  # not every block may be
                schedule.compute_inline(block)


def _schedule_block(schedule: Any, block: Any) -> None:
    loops, kinds = schedule.get_loops(block), axis_kinds(schedule.get(block))
    if len(loops) != len(kinds):
        return
    outer = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == SPATIAL]
    reduction = [loop for loop, kind in zip(loops, kinds, strict=True) if kind != SPATIAL]
    points = math.prod(int(schedule.get(loop).extent) for loop in loops)
    if not outer or points < _LEAST_POINTS:
        return
    inner = outer.pop()
    extent = int(schedule.get(inner).extent)
    lanes = next((n for n in _LANES if extent % n == 0 and (reduction or n <= 16)), 1)
    if lanes < extent:
        rest, inner = schedule.split(inner, [None, lanes])
        outer.append(rest)
    if reduction:
        schedule.reorder(*outer, *reduction, inner)
    if outer:
        schedule.parallel(schedule.fuse(*outer) if len(outer) > 1 else outer[0])
    if lanes > 1:
        schedule.vectorize(inner)
    if reduction:
        schedule.decompose_reduction(block, reduction[0])


def _reduces(schedule: Any, block: Any) -> bool:
    return any(kind != SPATIAL for kind in axis_kinds(schedule.get(block)))
