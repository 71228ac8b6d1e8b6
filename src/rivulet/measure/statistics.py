"""Medians, intervals and tests over latency samples; no hardware, no TVM."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def median(samples: Sequence[float]) -> float:
    """Median of the samples, in their own unit."""
    return float(np.median(np.asarray(samples, dtype=float)))


def bootstrap_median_interval(
    samples: Sequence[float], confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap interval of the median (Efron, 1979).

    Args:
        samples: At least one sample; one sample gives an interval of no width.
        confidence: Share of intervals that should hold the median, such as 0.95.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.

    Returns:
        Lower and upper end, in the samples' unit.
    """
    values = np.asarray(samples, dtype=float)
    generator = np.random.default_rng(seed)
    drawn = generator.choice(values, size=(resamples, len(values)), replace=True)
    medians = np.median(drawn, axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(medians, [tail, 1.0 - tail])
    return float(low), float(high)


def significantly_faster(
    challenger: Sequence[float], incumbent: Sequence[float], significance: float
) -> bool:
    """Is the challenger faster, by a one-sided Mann-Whitney U test?

    Rank-based because latency samples are skewed: a few are slow for reasons that have nothing
    to do with the kernel.

    Args:
        challenger: Latency samples of the new schedule.
        incumbent: Latency samples of the present one, measured interleaved with the former.
        significance: Share of false alarms accepted among equally fast pairs.
    """
    from scipy.stats import mannwhitneyu

    if median(challenger) >= median(incumbent):
        return False
    return bool(mannwhitneyu(challenger, incumbent, alternative="less").pvalue < significance)


def geometric_interval(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Geometric mean of two or more observations, and Student's interval over their logarithms."""
    from scipy.stats import t

    logs = np.log(values)
    spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    reach = float(t.ppf(0.5 + confidence / 2, len(logs) - 1)) * spread
    middle = float(np.mean(logs))
    return math.exp(middle), math.exp(middle - reach), math.exp(middle + reach)
