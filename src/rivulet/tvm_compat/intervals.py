"""Interval arithmetic: within which bounds the value of an expression lies.

After Moore, "Interval Analysis" (1966). Bounds are those of real numbers; rounding is left out,
because nothing here lies so close to a bound that it would matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """All numbers from ``low`` to ``high``, both included; none where ``low`` is above ``high``."""

    low: float
    high: float

    @property
    def is_empty(self) -> bool:
        """Whether no number is in it."""
        return self.low > self.high

    @property
    def has_zero(self) -> bool:
        """Whether zero is in it."""
        return self.low <= 0 <= self.high

    def within(self, low: float, high: float) -> bool:
        """Whether it has numbers, and none outside these bounds."""
        return not self.is_empty and low <= self.low and self.high <= high

    def union(self, other: Interval) -> Interval:
        """The smallest interval with all numbers of both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


NOTHING = Interval(math.inf, -math.inf)
ANYTHING = Interval(-math.inf, math.inf)
FALSE, TRUE, EITHER = Interval(0, 0), Interval(1, 1), Interval(0, 1)


def point(value: float) -> Interval:
    """The interval of one number."""
    return Interval(value, value)


def add(a: Interval, b: Interval) -> Interval:
    """Sums of a number of each."""
    return Interval(a.low + b.low, a.high + b.high)


def negate(a: Interval) -> Interval:
    """The numbers with the other sign."""
    return Interval(-a.high, -a.low)


def subtract(a: Interval, b: Interval) -> Interval:
    """Differences of a number of each."""
    return add(a, negate(b))


def multiply(a: Interval, b: Interval) -> Interval:
    """Products of a number of each."""
    products = [_times(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return Interval(min(products), max(products))


def square(a: Interval) -> Interval:
    """Products of each number with itself."""
    ends = multiply(point(a.low), point(a.low)).low, multiply(point(a.high), point(a.high)).low
    return Interval(0 if a.has_zero else min(ends), max(ends))


def divide(a: Interval, b: Interval) -> Interval:
    """Quotients of a number of each; anything where a divisor may be zero."""
    if b.has_zero:
        return ANYTHING
    return multiply(a, Interval(1 / b.high, 1 / b.low))


def floor_divide(a: Interval, b: Interval) -> Interval:
    """The same, rounded down."""
    found = divide(a, b)
    return Interval(_rounded(math.floor, found.low), _rounded(math.floor, found.high))


def floor_modulo(a: Interval, b: Interval) -> Interval:
    """What is left of a division of whole numbers, with the sign of the divisor."""
    if b.low <= 0:
        return ANYTHING
    if b.low == b.high and floor_divide(a, b).low == floor_divide(a, b).high:
        whole = multiply(floor_divide(a, b), b)
        return subtract(a, whole)
    return Interval(0, b.high - 1)


def smaller(a: Interval, b: Interval) -> Interval:
    """The smaller of a number of each."""
    return Interval(min(a.low, b.low), min(a.high, b.high))


def larger(a: Interval, b: Interval) -> Interval:
    """The larger of a number of each."""
    return Interval(max(a.low, b.low), max(a.high, b.high))


def less(a: Interval, b: Interval) -> Interval:
    """Whether a number of the first is below one of the second."""
    return TRUE if a.high < b.low else FALSE if a.low >= b.high else EITHER


def less_or_equal(a: Interval, b: Interval) -> Interval:
    """The same, equal ones counted."""
    return negation(less(b, a))


def negation(a: Interval) -> Interval:
    """Truth values turned round."""
    return subtract(TRUE, a)


def equal(a: Interval, b: Interval) -> Interval:
    """Whether a number of each is the same."""
    if a.high < b.low or b.high < a.low:
        return FALSE
    return TRUE if a.low == a.high == b.low == b.high else EITHER


def repeated_sum(a: Interval, most: int) -> Interval:
    """Sums of one to ``most`` of its numbers."""
    return a.union(multiply(a, point(most)))


def truncated(a: Interval) -> Interval:
    """The numbers without their fractions."""
    return Interval(_rounded(math.trunc, a.low), _rounded(math.trunc, a.high))


def absolute(a: Interval) -> Interval:
    """The numbers without their signs."""
    ends = abs(a.low), abs(a.high)
    return Interval(0 if a.has_zero else min(ends), max(ends))


def rising(function: Callable[[float], float], low: float, high: float) -> Unary:
    """A function on intervals, of a function on numbers that never falls.

    Args:
        function: The function, finite between the bounds.
        low: Where its domain begins.
        high: Where it ends.
    """

    def apply(a: Interval) -> Interval:
        return Interval(*(function(min(max(end, low), high)) for end in (a.low, a.high)))

    return apply


Unary = Callable[[Interval], Interval]
Binary = Callable[[Interval, Interval], Interval]


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _rounded(how: Callable[[float], float], value: float) -> float:
    return how(value) if math.isfinite(value) else value
