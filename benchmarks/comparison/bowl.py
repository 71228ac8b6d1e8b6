"""A synthetic space with a known optimum: does a descent find it, and after how many points?"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.droplet.axes import OrderedAxis, Point, Space
from rivulet.droplet.descent import Acceptance, Descent
from rivulet.droplet.walk import Walk
from rivulet.measure.protocol import Measurement

VALUES = 9  # of each coordinate
_LOOK_SAMPLES = 3
_SECONDS = 1e-3  # latency at the optimum
_ROUNDS = 1000  # no descent takes as many


class Bowl:
    """Latency ``1 + sum of w * ((x - optimum) / (values - 1)) ** 2`` milliseconds, with noise.

    Separable and convex, with weights from 0.5 to 2: a step beside the optimum costs from 0.8 % to
    3.1 %. Noise is log-normal, drawn for each sample.

    Args:
        coordinates: Number of coordinates.
        noise: Standard deviation of a sample's logarithm.
        seed: Seed of the bowl, the starting point and the noise.

    Attributes:
        space: The space.
        start: The starting point, at random.
        points: Points looked at.
        samples: Samples taken of points and incumbents in all.
    """

    def __init__(self, coordinates: int, noise: float, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._noise = noise
        self._optimum = self._generator.integers(0, VALUES, coordinates)
        self._weights = self._generator.uniform(0.5, 2.0, coordinates)
        axis = OrderedAxis(tuple((value,) for value in range(VALUES)))
        self.space = Space((axis,) * coordinates)
        drawn = self._generator.integers(0, VALUES, coordinates)
        self.start: Point = tuple((int(value),) for value in drawn)
        self.points = self.samples = 0

    def excess(self, point: Point) -> float:
        """Share of its latency that a point is slower than the optimum."""
        away = np.array([value[0] for value in point]) - self._optimum
        return float((self._weights * (away / (VALUES - 1)) ** 2).sum())

    def known(self, points: Sequence[Point]) -> list[float | None]:
        """Nothing is known beforehand."""
        return [None] * len(points)

    def look(self, incumbent: Point, points: Sequence[Point]) -> list[Measurement]:
        """See `rivulet.droplet.descent.PointBench`."""
        self.points += len(points)
        return self._measure([incumbent, *points], _LOOK_SAMPLES)

    def in_turns(self, points: Sequence[Point], rounds: int) -> list[Measurement]:
        """See `rivulet.droplet.descent.PointBench`."""
        return self._measure(points, rounds)

    def _measure(self, points: Sequence[Point], count: int) -> list[Measurement]:
        self.samples += count * len(points)
        found = []
        for point in points:
            factors = np.exp(self._noise * self._generator.standard_normal(count))
            samples = _SECONDS * (1 + self.excess(point)) * factors
            found.append(Measurement(tuple(samples.tolist())))
        return found


@dataclass(frozen=True)
class BowlFigures:
    """How descents did in bowls of one kind.

    Attributes:
        coordinates: Number of coordinates.
        noise: Standard deviation of a sample's logarithm.
        runs: Descents.
        exact: Share that ended at the optimum.
        found: Share that ended at it or at a point slower by no more than the noise.
        points: Mean number of points looked at.
        samples: Mean number of samples.
    """

    coordinates: int
    noise: float
    runs: int
    exact: float
    found: float
    points: float
    samples: float


def descend_bowls(
    coordinates: int, noise: float, runs: int, droplet: dict[str, Any]
) -> BowlFigures:
    """Descend in so many bowls, each with a seed of its own.

    Args:
        coordinates: Number of coordinates.
        noise: Standard deviation of a sample's logarithm.
        runs: Bowls.
        droplet: The config's ``droplet`` settings.
    """
    acceptance = Acceptance(droplet["significance"], droplet["confirm_repeats"])
    ends, points, samples = [], [], []
    for seed in range(runs):
        bowl = Bowl(coordinates, noise, seed)
        walk = Walk(bowl.space, bowl.start, random.Random(seed))
        descent = Descent(walk, bowl, acceptance)
        for _ in range(_ROUNDS):
            if descent.round(droplet["neighbours_per_round"]).ended:
                break
        ends.append(bowl.excess(walk.point))
        points.append(bowl.points)
        samples.append(bowl.samples)
    return BowlFigures(
        coordinates, noise, runs, _share(end == 0 for end in ends),
        _share(end <= noise for end in ends), float(np.mean(points)), float(np.mean(samples)),
    )  # fmt: skip


def _share(flags: Any) -> float:
    listed = list(flags)
    return math.fsum(listed) / len(listed)
