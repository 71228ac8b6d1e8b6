"""Schedules one step away from a schedule, along one coordinate."""

from __future__ import annotations

from collections.abc import Iterator

from rivulet.schedules.tiles import neighbour_splits
from rivulet.tvm_compat.traces import CATEGORICAL, LIMITS, LOCATION, TILE, Decision

_LARGEST_LIMIT = 1024


def steps(decision: Decision) -> Iterator[tuple[int, ...]]:
    """Values one step from a decision's, in both directions, without wrapping around.

    A tile split moves one prime factor to an adjacent level. A category (unroll extents are
    listed in ascending order) moves to the next or previous one. A limit doubles or halves. A
    compute location moves by one loop; whether that loop exists shows when it is replayed.
    """
    value = decision.value[0]
    if decision.kind == TILE:
        yield from neighbour_splits(decision.value, decision.innermost_limit)
    elif decision.kind == CATEGORICAL:
        yield from ((v,) for v in (value - 1, value + 1) if 0 <= v < decision.categories)
    elif decision.kind == LOCATION:
        # -2 computes at the root and -1 inlines: places apart, not loops next to loop 0.
        yield from ((v,) for v in (value - 1, value + 1) if v >= 0)
        yield from ((v,) for v in (-2, -1) if v != value)
    elif decision.kind in LIMITS:
        yield from ((v,) for v in (value // 2, value * 2) if 1 <= v <= _LARGEST_LIMIT)


def all_steps(decisions: list[Decision]) -> list[tuple[int, tuple[int, ...]]]:
    """Every unit step of a schedule, as (instruction position, new value)."""
    return [(d.index, value) for d in decisions for value in steps(d)]
