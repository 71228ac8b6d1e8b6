"""One round of a descent: look at new points, race the best against the incumbent, move.

After Canesche et al., "The Droplet Search Algorithm for Kernel Scheduling" (ACM TACO 21(2),
2024): coordinate descent from a good schedule, whose moves must be statistically significant.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rivulet.droplet.walk import Order, Proposal, Walk
from rivulet.measure.protocol import Measurement
from rivulet.schedules.axes import Values
from rivulet.tuning.race import Sample, race, time_survivors

_CHALLENGERS = 4
# A single look is uncertain by the noise and by this at least: a challenger may look as much slower
# than the incumbent.
_SLACK = 0.02
# Further looks at what was within so many standard deviations of the incumbent, so many points.
_SECOND_LOOKS = 4
_NEAR_NOISES = 1.5
_NEAR_POINTS = 40
_NOISE_WINDOW = 64

SAME_CODE = 1.0


class PointBench(Protocol):
    """Knows what was measured of one space, and measures points of it against each other."""

    def known(self, points: Sequence[Values]) -> list[float | None]:
        """What need not be measured.

        Returns:
            For each point its latency over the incumbent's where it is known, infinite for one
            that is no valid schedule or is known without a time; `SAME_CODE` where it is the
            incumbent by another name; not a number for another name of a point that is to be
            measured; None for one to be measured.
        """

    def in_turns(self, points: Sequence[Values], rounds: int) -> list[Measurement]:
        """Measure points against each other, ``rounds`` samples each."""


@dataclass(frozen=True)
class Round:
    """What a round came to.

    Attributes:
        measured: New points measured.
        ratio: The new incumbent's latency over the old one's; 1 where it stayed.
        ended: Nothing is left to look at: the incumbent is a local optimum.
    """

    measured: int
    ratio: float
    ended: bool


@dataclass(frozen=True)
class Acceptance:
    """When a move counts.

    Attributes:
        significance: Level of a race.
        repeats: Samples of each in a race's first look.
    """

    significance: float
    repeats: int


class Descent:
    """A descent from one starting point, round by round.

    A round, `propose` and then `conclude`, looks at new points once. Those that look about as fast
    as the incumbent, or faster, race against it. When nothing new is left, what was near the
    incumbent is looked at again, up to a number of times, before the incumbent counts as a local
    optimum.

    Args:
        walk: Where it stands.
        bench: Measures points.
        acceptance: When a move counts.
        order: Sorts the neighbourhood.
        logger: Told of challengers that drop out.

    Attributes:
        walk: Where it stands.
    """

    def __init__(
        self,
        walk: Walk,
        bench: PointBench,
        acceptance: Acceptance,
        order: Order | None = None,
        *,
        logger: logging.Logger | None = None,
    ) -> None:
        self.walk, self._bench, self._acceptance = walk, bench, acceptance
        self._order, self._logger = order, logger
        self._noise = _Noise()
        self._fresh: list[Proposal] = []
        self._looked: list[tuple[float, Proposal]] = []
        self._second_looks = 0
        self._seconds: float | None = None  # of the incumbent, when it was looked at last

    def propose(self, count: int) -> list[Values]:
        """Up to ``count`` new points to look at, beside the incumbent; there may be none."""
        self._fresh, self._looked = self._gather(count)
        return [one.point for one in self._fresh]

    def conclude(self, results: Sequence[Measurement]) -> Round:
        """Learn a first look at what was proposed; move to the best that is significantly faster.

        Args:
            results: The incumbent's measurement, then the points'; empty where none was proposed.
        """
        looked = self._looked
        if self._fresh:
            looked += self._learn(self._fresh, list(results))
        if not looked:
            if self._second_looks == _SECOND_LOOKS:
                return Round(0, 1.0, True)
            looked = self._look_again()
        return Round(len(self._fresh), self._race(looked), False)

    def _gather(self, count: int) -> tuple[list[Proposal], list[tuple[float, Proposal]]]:
        """New points to measure, and those whose latency is known."""
        fresh: list[Proposal] = []
        looked: list[tuple[float, Proposal]] = []
        while len(fresh) < count:
            proposals = self.walk.propose(count - len(fresh), self._order)
            if not proposals:
                break
            known = self._bench.known([one.point for one in proposals])
            for one, ratio in zip(proposals, known, strict=True):
                if ratio is None:
                    fresh.append(one)
                elif ratio == SAME_CODE:
                    self.walk.go_on(one)
                elif not math.isnan(ratio):
                    self.walk.learn(one, ratio)
                    looked.append((ratio, one))
        return fresh, looked

    def _look_again(self) -> list[tuple[float, Proposal]]:
        """More samples of what was near the incumbent, and what follows from all of them."""
        self._second_looks += 1
        margin = _NEAR_NOISES * self._noise.level
        near = [one for _, one in self.walk.near(margin, _NEAR_POINTS)]
        if near:
            points = [self.walk.point, *(one.point for one in near)]
            rounds = self._acceptance.repeats * 2 ** (self._second_looks - 1)
            results = time_survivors(
                self._in_turns(points), range(1, len(points)), rounds, self._logger
            )
            survivors = [number for number in results if number]
            if survivors:
                self._learn(
                    [near[n - 1] for n in survivors], [results[0], *(results[n] for n in survivors)]
                )
            self.walk.gather()
        return self.walk.near(0.0, _CHALLENGERS)

    def _learn(
        self, proposals: list[Proposal], results: list[Measurement]
    ) -> list[tuple[float, Proposal]]:
        incumbent, *others = results
        self._noise.learn(results)
        base = self._base(incumbent, others)
        looked = []
        for one, result in zip(proposals, others, strict=True):
            ratio = result.latency / base
            self.walk.learn(one, ratio, max(1, len(result.samples)))
            looked.append((ratio, one))
        return looked

    def _base(self, incumbent: Measurement, others: list[Measurement]) -> float:
        """Latency to compare with: the incumbent's, or what comes nearest where that failed."""
        if incumbent.samples:
            self._seconds = incumbent.latency
        if self._seconds is not None:
            return self._seconds
        ran = [result.latency for result in others if result.samples]
        return float(np.median(ran)) if ran else 1.0

    def _in_turns(self, points: Sequence[Values]) -> Sample:
        return lambda numbers, rounds: self._bench.in_turns([points[n] for n in numbers], rounds)

    def _race(self, looked: list[tuple[float, Proposal]]) -> float:
        """Race the best of what was looked at; returns the winner's ratio to the incumbent."""
        slack = 1 + max(_SLACK, self._noise.level)
        near = sorted(((ratio, n) for n, (ratio, _) in enumerate(looked) if ratio < slack))
        challengers = [looked[n][1] for _, n in near[:_CHALLENGERS]]
        if not challengers:
            return 1.0
        contestants = [self.walk.point, *(one.point for one in challengers)]
        outcome = race(
            self._in_turns(contestants), len(challengers), self._acceptance.significance,
            self._acceptance.repeats, logger=self._logger,
        )  # fmt: skip
        if outcome.winner is None:
            return 1.0
        self.walk.move(challengers[outcome.winner - 1])
        self._second_looks = 0
        if self._seconds is not None:
            self._seconds *= outcome.ratio
        return outcome.ratio


class _Noise:
    """Running estimate of the standard deviation of a sample's logarithm."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_NOISE_WINDOW)

    def learn(self, results: Sequence[Measurement]) -> None:
        for result in results:
            if len(result.samples) > 1:
                self._seen.append(float(np.std(np.log(result.samples), ddof=1)))

    @property
    def level(self) -> float:
        """Median of what was seen lately: a disturbance now and then does not count."""
        return float(np.median(self._seen)) if self._seen else 0.0
