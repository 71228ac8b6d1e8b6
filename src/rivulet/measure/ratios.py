"""Ratios of latencies that were measured in turns, with intervals; no hardware, no TVM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BETTER, WORSE, SAME = "better", "worse", "no difference shown"


@dataclass(frozen=True)
class Ratio:
    """A ratio with the range it may lie in.

    Attributes:
        value: The ratio.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the range shows of the second of two latencies, if the ratio is first over second.

        ``better`` or ``worse`` where all of it says so.
        """
        return BETTER if self.low > 1 else WORSE if self.high < 1 else SAME


@dataclass(frozen=True)
class KernelSamples:
    """Two schedules' latencies of one kernel, sampled in turns.

    Attributes:
        weight: How often the model runs the kernel.
        ours: Latency samples of one schedule in seconds.
        peer: The same of the other, sample by sample from the same rounds.
    """

    weight: int
    ours: Sequence[float]
    peer: Sequence[float]


def latency_ratio(
    kernels: Sequence[KernelSamples], confidence: float, resamples: int, seed: int
) -> Ratio:
    """Our weighted sum of median latencies over the other's, with a bootstrap interval.

    Rounds are drawn, not samples: a disturbance met both sides in the same round, and has to
    meet both in a resample.

    Args:
        kernels: Every kernel of the model.
        confidence: Of the percentile interval, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Of the resampling.
    """
    generator = np.random.default_rng(seed)
    sums = np.zeros((resamples, 2))
    whole = np.zeros(2)
    for kernel in kernels:
        samples = np.array([kernel.ours, kernel.peer], dtype=float)
        rounds = samples.shape[1]
        drawn = generator.integers(0, rounds, size=(resamples, rounds))
        sums += kernel.weight * np.median(samples[:, drawn], axis=2).T
        whole += kernel.weight * np.median(samples, axis=1)
    ratios = sums[:, 0] / sums[:, 1]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(ratios, [tail, 1.0 - tail])
    return Ratio(float(whole[0] / whole[1]), float(low), float(high))
