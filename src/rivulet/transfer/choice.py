"""What is measured next, and what need not be measured at all; no TVM, no hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

# Scores are speeds relative to the kernel's best, as the cost model has learned them.
_LEAST_SCORE = 0.02
_ENOUGH_RESIDUALS = 12
_LEAST_SPREAD = 0.15
_SPREADS = 2.0  # so many standard deviations off is as good as impossible
# A kernel whose time over the candidates spent on it is a smaller share of the model's gets no
# more: one more takes as long to build and time as any other's, and has next to nothing to gain.
_LEAST_GAIN = 0.01


@dataclass
class KernelChoice:
    """How far the choice among one kernel's candidates has come.

    Attributes:
        weight: How often the model runs the kernel.
        waiting: Predicted score of each candidate that was not measured, by its number.
        best: Best latency so far in seconds, the default's included; infinite for none.
        best_score: Predicted score of the fastest candidate measured.
        tried: Candidates measured.
        served: Whether one of them ran.
        default: Latency of the default schedule in seconds; infinite where it is not known.
    """

    weight: int
    waiting: dict[int, float] = field(default_factory=dict)
    best: float = math.inf
    best_score: float = 0.0
    tried: int = 0
    served: bool = True
    default: float = math.inf

    def next_candidate(self) -> int | None:
        """The waiting candidate that is predicted to be fastest; the earlier one of equals."""
        if not self.waiting:
            return None
        return max(self.waiting, key=lambda number: (self.waiting[number], -number))

    @property
    def seconds(self) -> float:
        """What the kernel adds to the model by now, with its default schedule if that is best."""
        return self.weight * min(self.best, self.default)

    @property
    def gain(self) -> float:
        """Seconds of the model that one more candidate might save, at the most hopeful.

        As in the forward term of Ansor's task scheduler: the kernel's share of the model's
        latency over the candidates spent on it.
        """
        if not math.isfinite(self.best):
            return math.inf
        return self.seconds / max(1, self.tried)


class Prospects:
    """How far off the cost model's predictions were, and so which candidates cannot win."""

    def __init__(self) -> None:
        self._residuals: list[float] = []

    def learn(self, scores: Sequence[float], latencies: Sequence[float]) -> None:
        """Learn predictions and measurements of candidates of one kernel.

        Args:
            scores: Predicted scores, of one prediction.
            latencies: Seconds of each.
        """
        if len(scores) < 2:
            return
        best = int(np.argmin(latencies))
        for place, (score, latency) in enumerate(zip(scores, latencies, strict=True)):
            if place != best:
                predicted = _log_score(score) - _log_score(scores[best])
                self._residuals.append(math.log(latencies[best] / latency) - predicted)

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm of measured over predicted relative speed."""
        if len(self._residuals) < _ENOUGH_RESIDUALS:
            return math.inf
        return max(_LEAST_SPREAD, float(np.std(self._residuals)))

    def cannot_win(self, score: float, best_score: float) -> bool:
        """Is a candidate predicted to be so slow that even a large error would not save it?"""
        if best_score <= 0 or not math.isfinite(self.spread):
            return False
        return _log_score(score) - _log_score(best_score) + _SPREADS * self.spread < 0


def _log_score(score: float) -> float:
    return math.log(max(score, _LEAST_SCORE))


def worth_more(kernel: KernelChoice, kernels: Sequence[KernelChoice]) -> bool:
    """May one more candidate of a kernel make a difference to the model?

    Args:
        kernel: The kernel.
        kernels: All of them. Those that only have their default loops do not count: they would
            make all others look small.
    """
    model = sum(one.seconds for one in kernels if one.served)
    return not math.isfinite(model) or kernel.gain >= _LEAST_GAIN * model


def choose_batch(
    kernels: Sequence[KernelChoice], prospects: Prospects, size: int, most_per_kernel: int
) -> list[tuple[int, int]]:
    """The candidates to measure next, as (kernel, candidate) numbers.

    Each goes to the kernel with most to gain, if it may make a difference; candidates that cannot
    win are dropped.

    Args:
        kernels: State of each kernel; candidates that are chosen or dropped leave it.
        prospects: Tells what cannot win.
        size: Candidates wanted.
        most_per_kernel: Candidates of one kernel measured in all, at most.
    """
    batch: list[tuple[int, int]] = []
    for _ in range(size):
        open_kernels = []
        for index, kernel in enumerate(kernels):
            if kernel.tried >= most_per_kernel or not worth_more(kernel, kernels):
                continue
            number = kernel.next_candidate()
            if number is None:
                continue
            if prospects.cannot_win(kernel.waiting[number], kernel.best_score):
                kernel.waiting.clear()  # the others are predicted to be slower still
                continue
            open_kernels.append((kernel.gain, -index, index, number))
        if not open_kernels:
            break
        _, _, index, number = max(open_kernels)
        del kernels[index].waiting[number]
        kernels[index].tried += 1
        batch.append((index, number))
    return batch
