"""A search's history: how fast the model was at what time."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MeasuredTrial:
    """One measured candidate.

    Attributes:
        at: Seconds from the start of the process to the end of its measurement.
        kernel: Task name of the kernel.
        latency: Median latency in seconds; None when it failed.
    """

    at: float
    kernel: str
    latency: float | None

    def as_json(self) -> dict[str, Any]:
        """The trial as JSON writes it."""
        return asdict(self)


class History:
    """The model's weighted latency as a function of time.

    A kernel counts with its untuned latency until a schedule of it has run.

    Args:
        trials: In any order.
        weights: How often the model runs each kernel.
        untuned: Latency of each kernel without a schedule, in seconds.
    """

    def __init__(
        self,
        trials: Sequence[MeasuredTrial],
        weights: Mapping[str, int],
        untuned: Mapping[str, float],
    ) -> None:
        best: dict[str, float] = {}
        self._times: list[float] = []
        self._start = sum(weights[kernel] * untuned[kernel] for kernel in weights)
        self._sums: list[float] = []
        for trial in sorted(trials, key=lambda trial: trial.at):
            if trial.latency is not None:
                best[trial.kernel] = min(trial.latency, best.get(trial.kernel, trial.latency))
            self._times.append(trial.at)
            self._sums.append(
                sum(weights[kernel] * best.get(kernel, untuned[kernel]) for kernel in weights)
            )

    @property
    def end(self) -> float:
        """Time of the last trial, in seconds; 0 without any."""
        return self._times[-1] if self._times else 0.0

    def latency(self, at: float) -> float:
        """Weighted latency in seconds that was reached by the time ``at``."""
        index = bisect.bisect_right(self._times, at)
        return self._sums[index - 1] if index else self._start


def ratios_at_equal_time(
    ours: History, peer: History, shares: Sequence[float]
) -> dict[float, float]:
    """Our latency over the peer's at shares of the time that the shorter search took."""
    shorter = min(ours.end, peer.end)
    return {
        share: ours.latency(share * shorter) / peer.latency(share * shorter) for share in shares
    }


def net_rate(trials: Sequence[MeasuredTrial]) -> float:
    """Trials per second from the first measured trial to the last, start-up left out."""
    times = sorted(trial.at for trial in trials)
    return (len(times) - 1) / (times[-1] - times[0])
