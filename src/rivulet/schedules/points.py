"""A schedule as a point: a trace's structure, and a value for each decision that it leaves open.

Sampling, mutation, the steps of a descent and transfers all make points, and `apply_point` makes a
schedule of any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rivulet.schedules.thread_tiles import ThreadTiles
from rivulet.tvm_compat.traces import (
    CATEGORICAL,
    LOCATION,
    TILE,
    Decision,
    Postprocessing,
    categories,
    decisions,
    replay,
    tiled_blocks,
    with_values,
)

Value = tuple[int, ...]
_SAMPLED = (TILE, CATEGORICAL, LOCATION)


@dataclass(frozen=True, eq=False)
class Structure:
    """What schedules have in common that differ in their decisions only.

    Attributes:
        trace: A trace of this structure; its own decisions mean nothing.
        decisions: The decisions that it leaves open, in the order of the trace.
        blocks: For each block with tiled loops, positions in `decisions` of the tiles of its
            spatial axes and of its reduction axes.
        threads: For each of these, what its tiles have to be for a GPU to launch it; None where
            its loops are not bound to threads.
        unrolls: For each category decision, its categories.
    """

    trace: Any
    decisions: tuple[Decision, ...]
    blocks: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    unrolls: dict[int, list[int]] = field(default_factory=dict)
    threads: tuple[ThreadTiles | None, ...] = ()

    def bound(self) -> Iterator[tuple[tuple[int, ...], ThreadTiles]]:
        """Positions of the spatial tiles of each block whose loops are bound to threads."""
        for (spatial, _), limits in zip(self.blocks, self.threads, strict=True):
            if limits is not None:
                yield spatial, limits


@dataclass(frozen=True)
class Point:
    """One schedule, not yet applied.

    Attributes:
        structure: Its structure.
        values: Value of each of the structure's decisions; None leaves it to TVM's sampling.
    """

    structure: Structure
    values: tuple[Value | None, ...]


def sampled_decisions(trace: Any) -> list[Decision]:
    """The decisions of a trace that TVM samples; limits that its rules fix are not among them."""
    return [one for one in decisions(trace) if one.kind in _SAMPLED]


def read_structure(trace: Any) -> Structure:
    """The structure of a trace, open in all that TVM samples."""
    found = tuple(sampled_decisions(trace))
    position = {decision.index: place for place, decision in enumerate(found)}
    tiled = tiled_blocks(trace)
    blocks = tuple(
        (
            tuple(position[index] for index in block.spatial),
            tuple(position[index] for index in block.reduction),
        )
        for block in tiled
    )
    threads = tuple(
        ThreadTiles(block.spatial_levels, *block.threads) if block.threads else None
        for block in tiled
    )
    unrolls = {
        place: categories(trace, decision.index)
        for place, decision in enumerate(found)
        if decision.kind == CATEGORICAL
    }
    return Structure(trace, found, blocks, unrolls, threads)


def apply_point(module: Any, postprocessing: Postprocessing, point: Point, seed: int) -> Any:
    """Apply a point to a kernel.

    Args:
        module: The kernel's unscheduled module.
        postprocessing: Of the kernel and the target.
        point: The point.
        seed: Seed for what it leaves to TVM.

    Returns:
        The schedule.

    Raises:
        ReplayFailure: The point is no valid schedule of the kernel.
    """
    fixed, free = {}, set()
    for decision, value in zip(point.structure.decisions, point.values, strict=True):
        if value is None:
            free.add(decision.index)
        else:
            fixed[decision.index] = value
    trace = with_values(point.structure.trace, fixed, free)
    return replay(module, trace, postprocessing, seed)
