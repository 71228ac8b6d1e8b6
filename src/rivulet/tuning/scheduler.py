"""Which kernel gets the next batch of trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rivulet.tuning.kernel_state import KernelState

_HOPELESS_ROUNDS = 3


def most_promising(gains: Sequence[float]) -> int | None:
    """Place of the largest of the gains that the next round of each kernel may bring.

    A negative one means that a kernel has nothing left to try; None where that is so of all.
    """
    best = max(range(len(gains)), key=gains.__getitem__, default=None)
    return best if best is not None and gains[best] >= 0 else None


class GradientScheduler:
    """Ansor's task scheduler (Zheng et al., OSDI 2020, section 6), as MetaSchedule simplifies it.

    The next batch goes to the kernel with the largest expected decrease of the model's latency:
    its weight times a mean of the decrease per round seen lately and of the optimistic one,
    latency over rounds spent.

    Args:
        kernels: State of each kernel, shared with the caller.
        alpha: Weight of the decrease seen, against the optimistic one.
        window: Rounds that "lately" spans.
    """

    def __init__(self, kernels: list[KernelState], alpha: float, window: int) -> None:
        self._kernels, self._alpha, self._window = kernels, alpha, window

    def choose(self) -> int | None:
        """Index of the kernel to work on; None when no kernel has anything left to try."""
        return most_promising([self._gain(kernel) for kernel in self._kernels])

    def _gain(self, kernel: KernelState) -> float:
        rounds = len(kernel.history)
        if kernel.exhausted:
            return -1.0
        if not math.isfinite(kernel.best):
            return math.inf if rounds < _HOPELESS_ROUNDS else 0.0
        backward = 0.0
        if rounds > self._window:
            before = kernel.history[-1 - self._window]
            backward = (before - kernel.best) / self._window if math.isfinite(before) else 0.0
        forward = kernel.best / rounds
        return kernel.weight * (self._alpha * backward + (1 - self._alpha) * forward)


def first_round_size(trials: int, kernels: int, batch: int) -> int:
    """Trials that each kernel gets before the scheduler decides.

    At most half of the budget, so that every kernel has a schedule early and enough is left to
    go where it matters; at least one.
    """
    return max(1, min(batch, trials // (2 * max(1, kernels))))
