"""The coordinates that a descent walks along, and the steps between their values; no TVM."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rivulet.schedules.points import Value
from rivulet.schedules.tiles import move_factor, prime_factors

Values = tuple[Value, ...]
Change = tuple[int, ...]
Step = tuple[int, Change]  # number of the axis, and what changes on it


class Axis(Protocol):
    """One coordinate: its values have neighbours in a natural order, and the ends have none."""

    def changes(self, value: Value) -> list[Change]:
        """The unit changes that are possible from a value."""

    def after(self, value: Value, change: Change) -> Value | None:
        """The value after a change; None where the change is not possible."""


@dataclass(frozen=True)
class TileAxis:
    """The perfect splits of a loop. A change, ``(from, to, prime)``, moves a prime factor.

    Every change gives a split of the same extent and has a change back, and any split is reached
    from any other, the limit permitting.

    Attributes:
        innermost_limit: Largest innermost factor; 0 for none.
    """

    innermost_limit: int = 0

    def changes(self, value: Value) -> list[Change]:
        """Every prime factor of every level to every other level."""
        levels = range(len(value))
        return [
            (source, to, prime)
            for source in levels
            for prime in prime_factors(value[source])
            for to in levels
            if to != source and self.after(value, (source, to, prime)) is not None
        ]

    def after(self, value: Value, change: Change) -> Value | None:
        """The split after a factor has moved."""
        source, to, prime = change
        return move_factor(value, source, to, prime, innermost_limit=self.innermost_limit)


@dataclass(frozen=True)
class OrderedAxis:
    """Values in their natural order. A change is one place up, ``(1,)``, or down, ``(-1,)``.

    Attributes:
        values: All values, in order.
    """

    values: tuple[Value, ...]

    def changes(self, value: Value) -> list[Change]:
        """Up and down, where there is a next value."""
        return [c for c in ((1,), (-1,)) if self.after(value, c) is not None]

    def after(self, value: Value, change: Change) -> Value | None:
        """The next value."""
        if value not in self.values:
            return None
        place = self.values.index(value) + change[0]
        return self.values[place] if 0 <= place < len(self.values) else None


@dataclass(frozen=True)
class Space:
    """Points of one value per axis.

    Attributes:
        axes: The axes.
    """

    axes: tuple[Axis, ...]

    def steps(self, point: Values) -> list[Step]:
        """Every unit step from a point."""
        return [
            (number, change)
            for number, axis in enumerate(self.axes)
            for change in axis.changes(point[number])
        ]

    def exchanges(self, point: Values) -> list[tuple[Step, ...]]:
        """Pairs of unit steps by which two splits exchange a prime factor between two levels.

        What both splits have on each level together stays the same, such as the number of sums
        that a register tile holds; either step alone changes it.
        """
        tiles = [n for n, axis in enumerate(self.axes) if isinstance(axis, TileAxis)]
        found: list[tuple[Step, ...]] = []
        for first, second in itertools.combinations(tiles, 2):
            if len(point[first]) != len(point[second]):
                continue
            back = set(self.axes[second].changes(point[second]))
            for source, to, prime in self.axes[first].changes(point[first]):
                if (to, source, prime) in back:
                    found.append(((first, (source, to, prime)), (second, (to, source, prime))))
        return found

    def after(self, point: Values, steps: Sequence[Step]) -> Values | None:
        """The point after some steps, one after the other; None where one is not possible."""
        values = list(point)
        for number, change in steps:
            value = self.axes[number].after(values[number], change)
            if value is None:
                return None
            values[number] = value
        return tuple(values)
