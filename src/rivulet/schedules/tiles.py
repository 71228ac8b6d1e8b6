"""Perfect tile splits: factors whose product is the loop's extent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

Split = tuple[int, ...]


@cache
def divisors(number: int) -> tuple[int, ...]:
    """All divisors, ascending."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))


@cache
def prime_factors(number: int) -> tuple[int, ...]:
    """Distinct prime factors, ascending."""
    found, rest, candidate = [], number, 2
    while candidate * candidate <= rest:
        if rest % candidate == 0:
            found.append(candidate)
            while rest % candidate == 0:
                rest //= candidate
        candidate += 1
    return (*found, rest) if rest > 1 else tuple(found)


def splits(extent: int, levels: int, innermost_limit: int = 0) -> Iterator[Split]:
    """All splits of an extent into levels, outermost first; 0 means no innermost limit."""
    if levels == 1:
        if not innermost_limit or extent <= innermost_limit:
            yield (extent,)
        return
    for inner in divisors(extent):
        if innermost_limit and inner > innermost_limit:
            break
        for outer in splits(extent // inner, levels - 1):
            yield (*outer, inner)


def nearest_split(source: Sequence[int], extent: int, innermost_limit: int = 0) -> Split:
    """The split of ``extent`` that is nearest to ``source``.

    Distance is the sum of the factors' absolute log ratios over all levels but the outermost:
    inner levels are what caches and registers see, and the outermost takes what is left. A
    split of an equal extent is its own nearest.

    Args:
        source: Factors, outermost first.
        extent: Extent to split into as many levels.
        innermost_limit: Largest innermost factor; 0 for none.
    """

    def distance(split: Split) -> tuple[float, Split]:
        inner = zip(split[1:], source[1:], strict=True)
        return sum(abs(math.log(ours / theirs)) for ours, theirs in inner), split

    if math.prod(source) == extent and not (innermost_limit and source[-1] > innermost_limit):
        return tuple(source)
    return min(splits(extent, len(source), innermost_limit), key=distance)


def repaired_split(source: Sequence[int], extent: int) -> Split:
    """What TVM makes of a split that is replayed on another extent.

    From the innermost factor outwards, one that does not divide what is left becomes all of it,
    and the outer factors 1.
    """
    factors, rest = list(source), extent
    for level in range(len(factors) - 1, 0, -1):
        if rest % factors[level]:
            factors[level] = rest
        rest //= factors[level]
    factors[0] = rest
    return tuple(factors)


def move_factor(
    split: Sequence[int], source: int, to: int, prime: int, *, innermost_limit: int = 0
) -> Split | None:
    """The split after one prime factor has moved from one level to another.

    Args:
        split: Factors, outermost first.
        source: Level that gives the factor.
        to: Level that gets it.
        prime: The factor.
        innermost_limit: Largest innermost factor; 0 for none.

    Returns:
        A split of the same extent; None where the level has no such factor, or the innermost
        one would become too large.
    """
    if split[source] % prime:
        return None
    moved = list(split)
    moved[source] //= prime
    moved[to] *= prime
    # What is beyond the limit already may come back step by step.
    if innermost_limit and to == len(split) - 1 and moved[-1] > innermost_limit:
        return None
    return tuple(moved)


def neighbour_splits(split: Sequence[int], innermost_limit: int = 0) -> list[Split]:
    """Splits one step away: one prime factor moved to an adjacent level.

    Every result is valid, the relation is symmetric, and any split is reached from any other of
    the same extent, the innermost limit permitting.
    """
    found = []
    for level in range(len(split)):
        for other in (level - 1, level + 1):
            if not 0 <= other < len(split):
                continue
            for prime in prime_factors(split[level]):
                moved = move_factor(split, level, other, prime, innermost_limit=innermost_limit)
                if moved and not (innermost_limit and moved[-1] > innermost_limit):
                    found.append(moved)
    return found
