"""A source schedule's decisions, carried over to another kernel's own design space.

The target's space names its own blocks and loops and knows its extents, so nothing depends on how
TVM named them, on padding, or on what is fused: a schedule is a sketch and a value for each of its
decisions, and both have their counterpart in every kernel whose anchor is tiled the same way.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from rivulet.kernels.structure import BlockStructure
from rivulet.schedules.design_space import DesignSpace
from rivulet.schedules.points import Point, Structure, Value
from rivulet.schedules.thread_tiles import ThreadTiles
from rivulet.schedules.tiles import Split, nearest_split, repaired_split
from rivulet.tvm_compat.traces import (
    CATEGORICAL,
    LIMITS,
    LOCATION,
    TILE,
    Decision,
    decisions,
    skeleton,
    tiled_blocks,
    with_values,
)

PROJECTED, REGISTERS, REPAIRED, AS_IS = "projected", "registers", "repaired", "as it is"
THREADS = "threads"
# Where the source has no counterpart of a block whose place is to be chosen, such as padding.
_INLINE, _AT_ROOT = (-1,), (-2,)


@dataclass(frozen=True)
class Lent:
    """A source's schedule, taken apart once for all kernels that it is tried on.

    Attributes:
        trace: The trace.
        decisions: Its adjustable decisions.
        blocks: Tiles of each tiled block: splits of its spatial axes and of its reduction axes.
        tiled: Positions of the instructions that these are.
        skeleton: What its instructions do.
        limits: Limits of parallel and vectorised loops.
    """

    trace: Any
    decisions: tuple[Decision, ...]
    blocks: tuple[tuple[tuple[Split, ...], tuple[Split, ...]], ...]
    tiled: frozenset[int]
    skeleton: tuple[str, ...]
    limits: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, trace: Any) -> Lent:
        """Take a trace apart."""
        found = tuple(decisions(trace))
        value = {decision.index: decision.value for decision in found}
        blocks = tiled_blocks(trace)
        return cls(
            trace,
            found,
            tuple(
                (tuple(value[i] for i in b.spatial), tuple(value[i] for i in b.reduction))
                for b in blocks
            ),
            frozenset(i for b in blocks for i in (*b.spatial, *b.reduction)),
            tuple(skeleton(trace)),
            {d.kind: d.value for d in found if d.kind in LIMITS},
        )


def map_schedule(
    lent: Lent, source: BlockStructure, space: DesignSpace, target: BlockStructure
) -> list[tuple[str, Point]]:
    """Points of the target's space that stand for a source's schedule, each with how it was made.

    Tile factors of equal axes are carried over to the nearest split of the target's extent
    (``projected``), to the nearest that keeps its accumulators in registers (``registers``) or
    that a GPU can launch (``threads``), and as TVM's replay repairs them (``repaired``).

    Args:
        lent: The source's schedule.
        source: Anchor block of the source kernel.
        space: Design space of the target kernel.
        target: Anchor block of the target kernel.
    """
    sketch = _with_limits(lent, _nearest_sketch(lent, space), space)
    found: dict[tuple[Value | None, ...], str] = {}
    for how in (REGISTERS, THREADS, PROJECTED, REPAIRED):
        if how == REGISTERS and space.tiles is None:
            continue
        if how == THREADS and not any(sketch.bound()):
            continue
        for values in _mapped(lent, source, sketch, space, target=target, how=how):
            found.setdefault(values, how)
    return [(how, Point(sketch, values)) for values, how in found.items()]


def align_axes(source: Sequence[int], target: Sequence[int]) -> list[int | None]:
    """For each axis of the target the axis of the source that it takes after, or None.

    Axes keep their order; where the numbers differ, those are left out that make the extents of
    the others most alike.
    """
    few, many = sorted((list(source), list(target)), key=len)
    best = min(
        itertools.combinations(range(len(many)), len(few)),
        key=lambda chosen: (
            sum(
                abs(math.log(max(1, many[i]) / max(1, n))) for i, n in zip(chosen, few, strict=True)
            ),
            [-i for i in chosen],
        ),
    )
    if len(target) <= len(source):
        return list(best)
    place = {axis: index for index, axis in enumerate(best)}
    return [place.get(axis) for axis in range(len(target))]


def _nearest_sketch(lent: Lent, space: DesignSpace) -> Structure:
    """The sketch of the target whose instructions are most like the source's."""
    return max(space.sketches, key=lambda s: _likeness(lent.skeleton, tuple(skeleton(s.trace))))


@cache
def _likeness(ours: tuple[str, ...], theirs: tuple[str, ...]) -> float:
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


def _with_limits(lent: Lent, sketch: Structure, space: DesignSpace) -> Structure:
    """The sketch with the source's limits of parallel and vectorised loops, where they differ."""
    changed = {
        d.index: lent.limits[d.kind]
        for d in decisions(sketch.trace)
        if d.kind in lent.limits and d.value != lent.limits[d.kind]
    }
    return space.structure_of(with_values(sketch.trace, changed)) if changed else sketch


def _mapped(
    lent: Lent,
    source: BlockStructure,
    sketch: Structure,
    space: DesignSpace,
    *,
    target: BlockStructure,
    how: str,
) -> list[tuple[Value | None, ...]]:
    """Values for the sketch's decisions: several where one of them is anybody's guess."""
    values: list[Value | None] = [None] * len(sketch.decisions)
    open_places: list[int] = []
    taken: set[int] = set()
    for (spatial, reduction), (own_spatial, own_reduction), threads in zip(
        lent.blocks, sketch.blocks, sketch.threads, strict=False
    ):
        own = [sketch.decisions[p] for p in own_spatial]
        levels = len(own[0].value)
        if len(spatial[0]) != levels:
            continue  # tiled for another kind of device
        extents = [math.prod(decision.value) for decision in own]
        sources = _aligned(spatial, source.spatial, target.spatial, levels)
        if len(sources) != len(extents):
            sources = _aligned(spatial, [math.prod(s) for s in spatial], extents, levels)
        splits = _tiles(sources, own, space, threads, how=how)
        for position, split in zip(own_spatial, splits, strict=True):
            values[position] = split
        lengths = [math.prod(sketch.decisions[p].value) for p in own_reduction]
        levels = len(sketch.decisions[own_reduction[0]].value) if own_reduction else 0
        sources = _aligned(reduction, [math.prod(s) for s in reduction], lengths, levels)
        for position, split, extent in zip(own_reduction, sources, lengths, strict=True):
            limit = sketch.decisions[position].innermost_limit
            values[position] = _split(split, extent, limit, how)
        taken |= {*own_spatial, *own_reduction}
    rest = [d for d in lent.decisions if d.index not in lent.tiled]
    for kind in (TILE, CATEGORICAL, LOCATION):
        offered = [d for d in rest if d.kind == kind]
        wanted = [p for p, d in enumerate(sketch.decisions) if d.kind == kind and p not in taken]
        for number, position in enumerate(wanted):
            decision = sketch.decisions[position]
            if number >= len(offered):
                if kind == LOCATION:
                    open_places.append(position)
                continue
            value = offered[number].value
            if kind == CATEGORICAL:
                values[position] = (min(value[0], decision.categories - 1),)
            elif kind == LOCATION:
                values[position] = value
            elif len(value) == len(decision.value):
                extent = math.prod(decision.value)
                values[position] = _split(value, extent, decision.innermost_limit, how)
    if not open_places:
        return [tuple(values)]
    return [
        tuple(place if position in open_places else value for position, value in enumerate(values))
        for place in (_AT_ROOT, _INLINE)
    ]


def _aligned(
    given: Sequence[Split], source: Sequence[int], target: Sequence[int], levels: int
) -> list[Split]:
    """The source's split for each axis of the target; all outermost where there is none."""
    if len(given) != len(source):
        source = [math.prod(split) for split in given]
    return [
        given[axis] if axis is not None else (1,) * levels for axis in align_axes(source, target)
    ]


def _tiles(
    sources: list[Split],
    own: list[Decision],
    space: DesignSpace,
    threads: ThreadTiles | None,
    *,
    how: str,
) -> list[Split]:
    extents = [math.prod(decision.value) for decision in own]
    if how == THREADS and threads is not None:
        nearest = threads.nearest(sources, extents, [d.innermost_limit for d in own])
        if nearest is not None:
            return nearest
    if how == REGISTERS and space.tiles is not None:
        return space.tiles.nearest_spatial(sources, extents)
    return [
        _split(split, extent, decision.innermost_limit, how)
        for split, extent, decision in zip(sources, extents, own, strict=True)
    ]


def _split(source: Split, extent: int, limit: int, how: str) -> Split:
    if how == REPAIRED:
        return repaired_split(source, extent)
    return _nearest(tuple(source), extent, limit)


@cache
def _nearest(source: Split, extent: int, limit: int) -> Split:
    return nearest_split(source, extent, limit)
