"""Attributes of Relax calls as plain Python values."""

from __future__ import annotations

from typing import Any


def ints(values: Any) -> list[int]:
    """A list of integers out of TVM's."""
    return [int(value) for value in values]


def axes_of(given: Any, rank: int) -> list[int]:
    """Axes, counted from 0 and sorted; all of them when none are given."""
    if given is None:
        return list(range(rank))
    listed = given if hasattr(given, "__iter__") else [given]
    return sorted(int(axis) % rank for axis in listed)


def axis_of(given: Any, rank: int) -> int:
    """One axis, counted from 0."""
    return int(given) % rank


def shape_of(expression: Any) -> tuple[int, ...]:
    """A constant shape argument."""
    return tuple(int(extent) for extent in expression.values)
