"""Which schedules of a source model are tried on a kernel of the target model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.classes import anchor_operation
from rivulet.records import TuningLog
from rivulet.schedules.tiles import nearest_split
from rivulet.tvm_compat.traces import (
    TILE,
    Postprocessing,
    ReplayFailure,
    decisions,
    replay,
    replay_on_anchor,
    tile_extents,
    with_values,
)

EXACT, SAME_CLASS, SAME_ANCHOR, DEFAULT = "exact", "class", "anchor", "default"


@dataclass(frozen=True)
class SourceSchedule:
    """A schedule of the source model that might serve a target kernel.

    Attributes:
        kernel: The source kernel.
        kind: ``exact`` for the same workload, ``class`` for another shape of the same class,
            ``anchor`` for the same main operation with other operations fused to it.
        record: Its tuning record.
        rank: Place among the source kernel's records, from 0.
        distance: Shape distance of the two kernels, 0 for equal shapes.
    """

    kernel: Kernel
    kind: str
    record: Any
    rank: int
    distance: float


def shape_distance(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> float:
    """Sum of the absolute log ratios of all extents; infinite for other numbers of dimensions."""
    if [len(s) for s in ours] != [len(s) for s in theirs]:
        return math.inf
    return sum(
        abs(math.log(a / b))
        for left, right in zip(ours, theirs, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def source_schedules(
    kernel: Kernel, sources: list[Kernel], log: TuningLog, per_source: int, limit: int
) -> list[SourceSchedule]:
    """Schedules to try on a kernel: the same workload first, then its class by shape distance.

    A kernel without either gets those of the same anchor operation. Each round takes one record
    of each source kernel before any gives its second best, because another source kernel's best
    is the more promising candidate.

    Args:
        kernel: The target kernel.
        sources: The source model's kernels.
        log: The source's log.
        per_source: Records taken of one source kernel, at most.
        limit: Schedules in all, at most.
    """
    anchor = anchor_operation(kernel.kind)
    found = []
    for source in sources:
        if source.workload == kernel.workload:
            kind = EXACT
        elif source.kind == kernel.kind:
            kind = SAME_CLASS
        elif anchor is not None and anchor_operation(source.kind) == anchor:
            kind = SAME_ANCHOR
        else:
            continue
        # The anchor's own arguments come first and its output last, whatever is fused.
        ends = slice(None) if kind != SAME_ANCHOR else slice(0, 2)
        distance = shape_distance(kernel.shapes[ends], source.shapes[ends])
        for rank, record in enumerate(log.best_records(source, per_source)):
            found.append(SourceSchedule(source, kind, record, rank, distance))
    if any(one.kind != SAME_ANCHOR for one in found):
        found = [one for one in found if one.kind != SAME_ANCHOR]
    found.sort(key=lambda s: (s.kind != EXACT, s.rank, s.distance, s.kernel.task))
    return found[:limit]


def adapt_schedule(kernel: Kernel, source: SourceSchedule, postprocessing: Postprocessing) -> Any:
    """Replay a source schedule on a target kernel, each tile split moved to the nearest valid one.

    TVM's own replay repairs a factor that does not divide by giving it the whole remaining
    extent, which collapses the outer tiles. It serves here to learn the target's extents only.

    Returns:
        The schedule, postprocessed for the target.

    Raises:
        ReplayFailure: The trace does not fit the kernel's blocks and loops.
    """
    apply = replay_on_anchor if source.kind == SAME_ANCHOR else replay
    trace = source.record.trace
    extents = tile_extents(trace, apply(kernel.module, trace, postprocessing))
    values = {
        d.index: nearest_split(d.value, extents[d.index], d.innermost_limit)
        for d in decisions(trace)
        if d.kind == TILE
    }
    projected = with_values(trace, values)
    schedule = apply(kernel.module, projected, postprocessing)
    if tile_extents(projected, schedule) != extents:
        raise ReplayFailure("the tile splits do not settle on the kernel's loops")
    return schedule
