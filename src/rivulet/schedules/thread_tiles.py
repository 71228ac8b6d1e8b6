"""Tiles whose threads a GPU can launch.

MetaSchedule's structure for GPUs, ``SSSRRSRS``, tiles every spatial axis on five levels: thread
blocks, virtual threads, threads, and two levels of loops within a thread. The threads of a block
are the product of the third factors of all axes. Sampled without regard to that, three tiles in
four are refused only after they were applied: for fewer threads than a warp has, or for more than
the target launches.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rivulet.schedules.tiles import Split, divisors, nearest_split, prime_factors
from rivulet.tvm_compat.traces import THREAD_LEVEL

# Tries to find such tiles among all splits before their threads are chosen first.
_TRIES = 32


@dataclass(frozen=True)
class ThreadTiles:
    """Sampler and limits of the tiles of one block whose loops are bound to threads.

    Attributes:
        levels: Factors of a spatial axis' split.
        fewest: Fewest threads of a thread block.
        most: Most threads of a thread block.
    """

    levels: int
    fewest: int
    most: int

    def admits(self, spatial: Sequence[Split | None]) -> bool:
        """Can a block with these splits be launched? One that is not chosen yet may become so."""
        chosen = [split[THREAD_LEVEL] for split in spatial if split is not None]
        return len(chosen) < len(spatial) or self.fewest <= math.prod(chosen) <= self.most

    def possible(self, extents: Sequence[int]) -> bool:
        """Have loops of these extents any split that can be launched?"""
        return bool(self._thread_shapes(extents))

    def sample(
        self, extents: Sequence[int], innermost: Sequence[int], rng: random.Random
    ) -> list[Split | None]:
        """Splits of the spatial axes: any that can be launched, None each where none can.

        Args:
            extents: Extent of each axis.
            innermost: Largest innermost factor of each axis; 0 for none.
            rng: Source of randomness.
        """
        for _ in range(_TRIES):
            splits = [
                _random_split(n, self.levels, limit, rng)
                for n, limit in zip(extents, innermost, strict=True)
            ]
            if self.admits(splits):
                return list(splits)
        shapes = self._thread_shapes(extents)
        if not shapes:
            return [None] * len(extents)
        return [
            _with_threads(_random_split(n // threads, self.levels - 1, limit, rng), threads)
            for n, threads, limit in zip(extents, rng.choice(shapes), innermost, strict=True)
        ]

    def nearest(
        self, sources: Sequence[Split], extents: Sequence[int], innermost: Sequence[int]
    ) -> list[Split] | None:
        """The splits that can be launched and are nearest to others; None where there are none.

        The threads of each axis come first: their distance is the sum of the absolute log ratios,
        and that of all of them together counts as much again, because it decides how busy a
        multiprocessor is. What is left of each axis is split as near to the source's other factors.

        Args:
            sources: A split for each axis, of a kernel with other extents.
            extents: Extent of each axis of this kernel.
            innermost: Largest innermost factor of each axis; 0 for none.
        """
        wanted = [split[THREAD_LEVEL] for split in sources]
        shapes = self._thread_shapes(extents)
        if not shapes:
            return None

        def distance(shape: Split) -> tuple[float, Split]:
            each = sum(abs(math.log(a / b)) for a, b in zip(shape, wanted, strict=True))
            return each + abs(math.log(math.prod(shape) / math.prod(wanted))), shape

        best = min(shapes, key=distance)
        return [
            _with_threads(nearest_split(_without_threads(split), n // threads, limit), threads)
            for split, n, threads, limit in zip(sources, extents, best, innermost, strict=True)
        ]

    def _thread_shapes(self, extents: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        return _thread_shapes(tuple(extents), self.fewest, self.most)


@cache
def _thread_shapes(extents: tuple[int, ...], fewest: int, most: int) -> tuple[tuple[int, ...], ...]:
    """Threads along each axis, of all blocks that can be launched."""
    shapes: list[tuple[int, ...]] = [()]
    for extent in extents:
        shapes = [
            (*shape, factor)
            for shape in shapes
            for factor in divisors(extent)
            if math.prod(shape) * factor <= most
        ]
    return tuple(shape for shape in shapes if math.prod(shape) >= fewest)


def _random_split(extent: int, levels: int, limit: int, rng: random.Random) -> Split:
    """A split with every prime factor on a level at random, within the innermost limit."""
    factors = [1] * levels
    for prime in prime_factors(extent):
        rest = extent
        while rest % prime == 0:
            rest //= prime
            level = rng.randrange(levels)
            if level == levels - 1 and limit and factors[-1] * prime > limit:
                level = rng.randrange(levels - 1)
            factors[level] *= prime
    return tuple(factors)


def _with_threads(split: Split, threads: int) -> Split:
    return (*split[:THREAD_LEVEL], threads, *split[THREAD_LEVEL:])


def _without_threads(split: Split) -> Split:
    return (*split[:THREAD_LEVEL], *split[THREAD_LEVEL + 1 :])
