"""What a strategy knows of the bench that measures its candidates, and nothing more."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rivulet.measure.statistics import median

_DECIMALS = 10  # of seconds: a log keeps samples in microseconds with four decimals


def logged_seconds(samples: Iterable[float]) -> tuple[float, ...]:
    """Samples in seconds, rounded to the 0.1 ns that a log keeps.

    A strategy that decides by exactly what is recorded decides alike when the record is replayed.
    """
    return tuple(round(sample, _DECIMALS) for sample in samples)


@dataclass(frozen=True)
class Measurement:
    """What became of one candidate.

    Attributes:
        samples: Latencies in seconds; empty when it failed.
        error: Empty, or the stage and reason of the failure.
        build_seconds: Wall time of compiling and linking.
        run_seconds: Wall time of loading, warming up and timing.
    """

    samples: tuple[float, ...]
    error: str = ""
    build_seconds: float = 0.0
    run_seconds: float = 0.0

    @property
    def latency(self) -> float:
        """Median latency in seconds; infinite when it failed."""
        return median(self.samples) if self.samples else float("inf")


@dataclass(frozen=True)
class Comparison:
    """What running a module and its reference on equal inputs showed.

    Attributes:
        error: Largest difference of their outputs, relative to the reference's largest magnitude.
        seconds: Time of the module's run, its first; good for an order of magnitude.
        reference_seconds: The same of the reference.
    """

    error: float
    seconds: float = float("nan")
    reference_seconds: float = float("nan")


class WorkerFailure(Exception):
    """A request failed: ``kind`` is ``error``, ``timeout``, ``crash`` or ``out of memory``."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class MeasuringBench(Protocol):
    """Measures scheduled modules; all strategies share it.

    `rivulet.measure.bench.Bench` builds and times them here and now;
    `rivulet.measure.replay.ReplayBench` answers from a record.
    """

    def measure(
        self,
        modules: Sequence[Any],
        best: Mapping[Hashable, float] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[Measurement]:
        """Time scheduled modules, in order.

        Args:
            modules: ``IRModule`` each, one function named ``main``.
            best: Best latency in seconds of each group so far, where there is one. A candidate
                that is far slower than its group's best may get one sample only, one that looks
                faster more of them.
            groups: Which kernel each module belongs to; all the same by default.

        Returns:
            One measurement per module, in order.
        """
        ...

    def measure_interleaved(
        self, modules: Sequence[Any], rounds: int, seed: int
    ) -> list[Measurement]:
        """Time modules against each other: one sample of each per round.

        Returns:
            One measurement per module, in order, of ``rounds`` samples each.
        """
        ...

    def renew(self) -> None:
        """Measure in a new process from now on.

        Where a process has its buffers decides for all of its life how they get into each other's
        way in the caches: what is to hold everywhere has to be seen in more than one.
        """
        ...

    def compare(
        self, modules: Sequence[Any], references: Sequence[Any], seed: int
    ) -> list[Comparison | WorkerFailure]:
        """Compare the outputs of modules with those of reference schedules of the same kernels.

        Returns:
            For each module what was seen, or why one of the two could not be built or run.
        """
        ...
