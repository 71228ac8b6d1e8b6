"""A synthetic space with a known optimum: does a descent find it, and after how many points?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.droplet.descent import Acceptance, Descent, Round
from rivulet.droplet.walk import Walk
from rivulet.measure.protocol import Measurement
from rivulet.schedules.axes import OrderedAxis, Space, Values

VALUES = 9  # of each coordinate
_LOOK_SAMPLES = 3
_SECONDS = 1e-3  # latency at the bottom
_ENOUGH_ROUNDS = 1000


class Bowl:
    """Latency ``1 + sum of w * ((x - bottom) / (values - 1)) ** 2`` milliseconds, with noise.

    Separable and convex, with weights from 0.5 to 2: of nine values, a step beside the bottom costs
    from 0.8 % to 3.1 %. Noise is log-normal, drawn for each sample.

    Args:
        coordinates: Number of coordinates.
        noise: Standard deviation of a sample's logarithm.
        seed: Seed of the bowl, the starting point and the noise.
        values: Values of each coordinate.

    Attributes:
        space: The space.
        start: The starting point, at random.
        bottom: The fastest point.
        looks: Points of each first look, the incumbent first.
        turns: Points and rounds of each measurement in turns.
        samples: Samples taken in all.
    """

    def __init__(self, coordinates: int, noise: float, seed: int, values: int = VALUES) -> None:
        self._generator, self._noise = np.random.default_rng(seed), noise
        self._bottom = self._generator.integers(0, values, coordinates)
        self._last = values - 1
        self._weights = self._generator.uniform(0.5, 2.0, coordinates)
        axis = OrderedAxis(tuple((value,) for value in range(values)))
        self.space = Space((axis,) * coordinates)
        self.bottom = _point(self._bottom)
        self.start = _point(self._generator.integers(0, values, coordinates))
        self.looks: list[list[Values]] = []
        self.turns: list[tuple[list[Values], int]] = []
        self.samples = 0

    def seconds(self, point: Values) -> float:
        """Latency of a point without noise."""
        away = (np.array([value for (value,) in point]) - self._bottom) / self._last
        return _SECONDS * (1 + float((self._weights * away**2).sum()))

    def known(self, points: Sequence[Values]) -> list[float | None]:
        """Nothing is known beforehand."""
        return [None] * len(points)

    def look(self, incumbent: Values, points: Sequence[Values]) -> list[Measurement]:
        """A first measurement of the incumbent and of points, the incumbent's first."""
        self.looks.append([incumbent, *points])
        return self._measured([incumbent, *points], _LOOK_SAMPLES)

    def in_turns(self, points: Sequence[Values], rounds: int) -> list[Measurement]:
        """See `rivulet.droplet.descent.PointBench`."""
        self.turns.append((list(points), rounds))
        return self._measured(points, rounds)

    def _measured(self, points: Sequence[Values], count: int) -> list[Measurement]:
        self.samples += count * len(points)
        found = []
        for point in points:
            factors = np.exp(self._noise * self._generator.standard_normal(count))
            found.append(Measurement(tuple((self.seconds(point) * factors).tolist())))
        return found


def _point(values: Any) -> Values:
    return tuple((int(value),) for value in values)


def descend(bowl: Bowl, seed: int, count: int = 16, acceptance: Acceptance | None = None) -> Walk:
    """Descend from a bowl's start to the end; returns the walk.

    Args:
        bowl: The bowl.
        seed: Order of what is equally promising.
        count: Points per round.
        acceptance: When a move counts; the config's defaults without.
    """
    walk = Walk(bowl.space, bowl.start, random.Random(seed))
    descent = Descent(walk, bowl, acceptance or Acceptance(0.05, 8))
    for _ in range(_ENOUGH_ROUNDS):
        if one_round(descent, bowl, count).ended:
            return walk
    raise AssertionError("the descent does not end")


def one_round(descent: Descent, bowl: Bowl, count: int) -> Round:
    """Have a descent propose up to ``count`` points, look at them, and race the best."""
    points = descent.propose(count)
    return descent.conclude(bowl.look(descent.walk.point, points) if points else [])


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
    bowls = [Bowl(coordinates, noise, seed) for seed in range(runs)]
    excess = []
    for seed, bowl in enumerate(bowls):
        walk = descend(bowl, seed, droplet["neighbours_per_round"], acceptance)
        excess.append(bowl.seconds(walk.point) / bowl.seconds(bowl.bottom) - 1)
    return BowlFigures(
        coordinates, noise, runs,
        exact=float(np.mean([one == 0 for one in excess])),
        found=float(np.mean([one <= noise for one in excess])),
        points=float(np.mean([sum(len(look) - 1 for look in bowl.looks) for bowl in bowls])),
        samples=float(np.mean([bowl.samples for bowl in bowls])),
    )  # fmt: skip
