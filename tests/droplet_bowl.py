"""A made-up space whose optimum is known: a separable convex bowl with noisy latencies."""

from __future__ import annotations

import random

import numpy as np

from rivulet.droplet.axes import OrderedAxis, Space
from rivulet.droplet.descent import Acceptance, Descent
from rivulet.droplet.walk import Walk
from rivulet.measure.protocol import Measurement

SECONDS = 1e-3  # at the bottom
ENOUGH_ROUNDS = 500


class Bowl:
    """A bench of points whose latency rises with the square of the distance on each axis.

    Args:
        count: Axes.
        noise: Standard deviation of a sample's logarithm.
        seed: Seed of the bottom, the steepness, the start and the noise.
        values: Values of each axis.

    Attributes:
        space: The axes.
        start: A point at random.
        bottom: The fastest point.
        looks: Points of each first look, the incumbent first.
        turns: Points and rounds of each measurement in turns.
    """

    def __init__(self, count, noise, seed, values=9):
        self._generator, self._noise = np.random.default_rng(seed), noise
        bottom = self._generator.integers(0, values, count)
        self._bottom, self._last = bottom, values - 1
        self._steepness = self._generator.uniform(0.5, 2, count)
        axis = OrderedAxis(tuple((value,) for value in range(values)))
        self.space = Space((axis,) * count)
        self.bottom = tuple((int(v),) for v in bottom)
        self.start = tuple((int(v),) for v in self._generator.integers(0, values, count))
        self.looks, self.turns = [], []

    def seconds(self, point):
        """Latency of a point without noise."""
        away = (np.array([value for (value,) in point]) - self._bottom) / self._last
        return SECONDS * (1 + float((self._steepness * away**2).sum()))

    def known(self, points):
        """Nothing is known beforehand."""
        return [None] * len(points)

    def look(self, incumbent, points):
        """Three samples of each."""
        self.looks.append([incumbent, *points])
        return self._measured([incumbent, *points], 3)

    def in_turns(self, points, rounds):
        """As many samples of each as there are rounds."""
        self.turns.append((list(points), rounds))
        return self._measured(points, rounds)

    def _measured(self, points, count):
        return [
            Measurement(
                tuple(
                    self.seconds(point)
                    * np.exp(self._noise * self._generator.standard_normal(count))
                )
            )
            for point in points
        ]


def descend(bench, seed, count=16, order=None):
    """Descend from a bench's start to the end; returns the walk."""
    walk = Walk(bench.space, bench.start, random.Random(seed))
    descent = Descent(walk, bench, Acceptance(0.05, 8), order)
    for _ in range(ENOUGH_ROUNDS):
        if descent.round(count).ended:
            return walk
    raise AssertionError("the descent does not end")
