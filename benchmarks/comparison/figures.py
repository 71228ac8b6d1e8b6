"""From samples and rates to the figures that the comparison states; no hardware, no TVM."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rivulet.measure.ratios import Ratio


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of positive values, at least one."""
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def rate_ratio(ours: Sequence[float], peer: Sequence[float]) -> Ratio:
    """How many times our rate the peer's is exceeded by, over alternating runs.

    Args:
        ours: One rate per run.
        peer: The same of the peer; run ``i`` followed our run ``i``.

    Returns:
        The geometric mean of the ratios within each pair of neighbouring runs; its range is
        that of the ratios between any run of ours and any of the peer's.
    """
    pairs = [own / other for own, other in zip(ours, peer, strict=True)]
    every = [own / other for own in ours for other in peer]
    return Ratio(geometric_mean(pairs), min(every), max(every))
