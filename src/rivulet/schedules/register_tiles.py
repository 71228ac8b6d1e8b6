"""Tiles whose accumulators fit the vector registers: the search space for CPUs.

MetaSchedule's structure for CPUs, ``SSRSRS``, tiles every spatial axis on four levels and every
reduction axis on two. The innermost spatial level is the register tile: its accumulators stay in
vector registers for as long as the innermost reduction runs, provided that there are registers
for all of them. Sampled without regard to that, one tile in a thousand has the right size; all
others keep their accumulators in memory or leave the multiply-add units waiting.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rivulet.schedules.tiles import Split, divisors, nearest_split, splits

SPATIAL_LEVELS = 4
REDUCTION_LEVELS = 2
# Registers that the operands of the multiply-adds need beside the accumulators.
_OPERANDS = 4
# Fewer independent accumulators than this cannot hide the latency of a multiply-add
# (four cycles, two units on current CPUs).
_LATENCY_HIDING = 8
_LONGEST_VECTOR = 4  # registers side by side that the innermost axis may fill
_REDUCTION_LIMIT = 64
# Tries to find outer tiles that keep the threads busy before the best ones seen are taken.
_TRIES = 64
_WITHOUT_SECOND_LEVEL = 0.75
_BALANCE = 0.9


@dataclass(frozen=True)
class RegisterTiles:
    """Sampler and limits of register tiles.

    Attributes:
        lanes: Elements of a vector register.
        registers: Vector registers of the CPU.
        threads: Threads that a kernel runs on.
    """

    lanes: int
    registers: int
    threads: int

    @property
    def most_accumulators(self) -> int:
        """Largest number of vector registers that a tile may fill."""
        return self.registers - _OPERANDS

    def accumulators(self, inner: Sequence[int]) -> int:
        """Vector registers that a register tile fills.

        Args:
            inner: Innermost factor of each spatial axis, the vectorised one last.
        """
        return math.prod(inner[:-1]) * math.ceil(inner[-1] / self.lanes)

    def admits(self, spatial: list[Split]) -> bool:
        """Does the register tile fit the registers and hide the multiply-add's latency?

        A kernel whose extents allow no such tile (7 x 7 pixels on 16 registers, or one that is
        too small) is held to the largest tile that it has.
        """
        extents = tuple(math.prod(split) for split in spatial)
        return tuple(split[-1] for split in spatial) in _register_tiles(self, extents)

    def sample_spatial(self, extents: list[int], rng: random.Random) -> list[Split]:
        """Splits of the spatial axes, outermost axis first.

        Args:
            extents: Extent of each axis; the last one is vectorised.
            rng: Source of randomness.

        Returns:
            One split of four factors for each axis, outermost factor first.
        """
        inner = rng.choice(_register_tiles(self, tuple(extents)))
        best: list[Split] = []
        best_balance = 0.0
        for _ in range(_TRIES):
            chosen = [self._outer(n // f, f, rng) for n, f in zip(extents, inner, strict=True)]
            balance = self._balance(math.prod(split[0] for split in chosen))
            if balance > best_balance:
                best, best_balance = chosen, balance
            if balance >= _BALANCE:
                break
        return best

    def nearest_spatial(self, sources: Sequence[Split], extents: Sequence[int]) -> list[Split]:
        """The splits with a register tile within the limits that are nearest to others.

        The register tile comes first: its distance is the sum of the absolute log ratios of its
        factors. What is left of each axis is then split as near to the source's outer factors.

        Args:
            sources: A split of four factors for each axis, of a kernel with other extents.
            extents: Extent of each axis of this kernel; the last one is vectorised.
        """
        wanted = [split[-1] for split in sources]
        inner = min(
            _register_tiles(self, tuple(extents)),
            key=lambda tile: (
                sum(abs(math.log(a / b)) for a, b in zip(tile, wanted, strict=True)),
                tile,
            ),
        )
        return [
            (*nearest_split(split[:-1], extent // factor), factor)
            for split, extent, factor in zip(sources, extents, inner, strict=True)
        ]

    def sample_reduction(self, extent: int, rng: random.Random) -> Split:
        """A split of a reduction axis into two factors."""
        return rng.choice(list(splits(extent, REDUCTION_LEVELS, _REDUCTION_LIMIT)))

    def vectors(self, extent: int) -> list[int]:
        """Innermost factors of the vectorised axis: whole registers where the extent has them.

        Powers of two where there are any: LLVM takes a vector of another length apart, and the
        kernel runs at a tenth of its speed.
        """
        longest = self.lanes * _LONGEST_VECTOR
        fitting = [d for d in divisors(extent) if d <= longest]
        even = [d for d in fitting if d & (d - 1) == 0]
        whole = [d for d in even if d % self.lanes == 0]
        half = [d for d in even if 2 * d >= self.lanes]
        return whole or half or [max(fitting)]

    @staticmethod
    def _outer(rest: int, inner: int, rng: random.Random) -> Split:
        """Split what is left of an axis around the reduction loops.

        The level between the two reduction levels costs a store and a load of the accumulators
        in each step of the outer reduction; it pays only where it lets a slice of the weights
        stay in the cache.
        """
        second = 1 if rng.random() < _WITHOUT_SECOND_LEVEL else rng.choice(divisors(rest))
        rest //= second
        outermost = rng.choice(divisors(rest))
        return (outermost, rest // outermost, second, inner)

    def _balance(self, tasks: int) -> float:
        """Share of the threads' time that equal tasks keep busy."""
        return tasks / (self.threads * math.ceil(tasks / self.threads))


@cache
def _register_tiles(limits: RegisterTiles, extents: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """All register tiles within the limits; innermost factors in the order of the extents."""
    most = limits.most_accumulators
    factors = [[d for d in divisors(n) if d <= most] for n in extents[:-1]]
    tiles = {
        tile: filled
        for tile in itertools.product(*factors, limits.vectors(extents[-1]))
        if (filled := limits.accumulators(tile)) <= most
    }
    least = min(_LATENCY_HIDING, max(tiles.values()))
    return tuple(tile for tile, filled in tiles.items() if filled >= least)
