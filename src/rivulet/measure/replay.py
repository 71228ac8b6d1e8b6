"""A bench that answers from a record, so that strategies run with no hardware and no compiler."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from rivulet.measure.protocol import (
    Comparison,
    Measurement,
    MeasuringBench,
    WorkerFailure,
    logged_seconds,
)
from rivulet.tvm_compat.names import candidate_name

NOT_RECORDED = "replay error: not in the recorded table"
NOT_JUDGED = "replay error: the surrogate has no latency for it"


class Recorded(Protocol):
    """What a recording has to tell; the rows of a log's ``trials.csv`` do."""

    @property
    def candidate(self) -> str:
        """Structural hash of the scheduled kernel."""

    @property
    def samples_us(self) -> str:
        """Latency samples in microseconds, a JSON list."""

    @property
    def error(self) -> str:
        """Empty, or the stage and the reason of the failure."""

    @property
    def build_s(self) -> float:
        """Seconds of compiling and linking."""

    @property
    def run_s(self) -> float:
        """Seconds of loading, warming up and timing."""


class RecordedTable:
    """Measurements by candidate, of all kernels and of as many logs as were added.

    The key is the structural hash of the scheduled module alone: it covers shapes and loops, so
    that equal hashes of two kernels, or of two models, mean the same code.

    Args:
        trials: Recordings, such as `rivulet.records.TuningLog.trials`.
    """

    def __init__(self, trials: Iterable[Recorded] = ()) -> None:
        self._recordings: dict[str, list[Measurement]] = {}
        for trial in trials:
            self.add(trial)

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self._recordings)

    def add(self, trial: Recorded) -> None:
        """Add one recording."""
        samples = logged_seconds(us * 1e-6 for us in json.loads(trial.samples_us))
        measurement = Measurement(samples, trial.error, trial.build_s, trial.run_s)
        self._recordings.setdefault(trial.candidate, []).append(measurement)

    def first(self, candidate: str) -> Measurement | None:
        """The candidate's first recording, failed or not; None when it has none."""
        recordings = self._recordings.get(candidate)
        return recordings[0] if recordings else None

    def samples(self, candidate: str) -> list[float]:
        """Samples of all of the candidate's recordings, in seconds."""
        return [s for one in self._recordings.get(candidate, ()) for s in one.samples]


@dataclass(frozen=True)
class SurrogateCosts:
    """What a measurement would have taken where a surrogate stands in for the device.

    Attributes:
        samples: Samples per measurement.
        noise: Standard deviation of the logarithm of a sample over the surrogate's latency.
        build_seconds: Compiling and linking one candidate.
        load_seconds: Loading and warming up one candidate.
        sample_seconds: Shortest length of one sample.
    """

    samples: int = 3
    noise: float = 0.02
    build_seconds: float = 0.25
    load_seconds: float = 0.02
    sample_seconds: float = 0.02


@dataclass
class ReplayBench(MeasuringBench):
    """Answers like `rivulet.measure.bench.Bench`, from a table and, failing that, a surrogate.

    Every answer depends on the module, the arguments and the seeds alone, not on what was asked
    before, so a strategy repeats exactly, in any process.

    * `measure` gives a candidate's first recording as it stands, failures included. ``best``
      changes nothing: a recording that was cut short is cut short already.
    * `measure_interleaved` draws each round's sample from all of the candidate's recorded
      samples, with replacement.
    * `compare` finds no error in anything: a record does not hold outputs, and what was accepted
      when it was recorded was right.
    * A candidate that is neither recorded nor judged by the surrogate fails with a reason that
      begins with "replay".

    Attributes:
        table: What was recorded.
        surrogate: Seconds of one run of a scheduled module, for candidates that the table does
            not hold, such as `rivulet.measure.surrogate.LoopSurrogate`; infinite for a failure.
        seed: Seed of the samples that are drawn.
        build_workers: Processes that would have built side by side.
        costs: What the surrogate's measurements would have taken.
        hits: Answers from the table so far.
        misses: Answers from elsewhere so far.
        simulated_seconds: Seconds that everything answered so far would have kept a device, and
            the builders before it, busy.
    """

    table: RecordedTable = field(default_factory=RecordedTable)
    surrogate: Callable[[Any], float] | None = None
    seed: int = 0
    build_workers: int = 1
    costs: SurrogateCosts = field(default_factory=SurrogateCosts)
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    simulated_seconds: float = field(default=0.0, init=False)

    def __enter__(self) -> ReplayBench:
        """Nothing has to be started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to be ended."""

    def measure(
        self,
        modules: Sequence[Any],
        best: Mapping[Hashable, float] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[Measurement]:
        """The first recording of each module, in order."""
        results = []
        for module in modules:
            name = candidate_name(module)
            generator = np.random.default_rng([self.seed, int(name, 16)])
            recorded = self._looked_up(name)
            result = recorded or self._judged(module, self.costs.samples, generator)
            results.append(self._account(result))
        return results

    def measure_interleaved(
        self, modules: Sequence[Any], rounds: int, seed: int
    ) -> list[Measurement]:
        """Samples drawn anew for each module, ``rounds`` each, reproducible by ``seed``."""
        results = []
        for position, module in enumerate(modules):
            name = candidate_name(module)
            generator = np.random.default_rng([self.seed, seed, position, int(name, 16)])
            result = self._looked_up(name)
            if result is None:
                result = self._judged(module, rounds, generator)
            elif samples := self.table.samples(name):
                drawn = logged_seconds(generator.choice(samples, rounds).tolist())
                share = result.run_seconds / max(1, len(result.samples))
                result = Measurement(drawn, "", result.build_seconds, share * rounds)
            results.append(self._account(result))
        return results

    def renew(self) -> None:
        """Nothing: what was recorded has no process any more."""

    def compare(
        self, modules: Sequence[Any], references: Sequence[Any], seed: int
    ) -> list[Comparison | WorkerFailure]:
        """No error for any module: what was recorded as right stays right."""
        return [
            Comparison(0.0, *(self._seconds(module) for module in pair))
            for pair in zip(modules, references, strict=True)
        ]

    def _seconds(self, module: Any) -> float:
        """Recorded or judged latency; not a number where there is neither."""
        recorded = self.table.first(candidate_name(module))
        if recorded is not None and recorded.samples:
            return recorded.latency
        return self.surrogate(module) if self.surrogate is not None else math.nan

    def _looked_up(self, name: str) -> Measurement | None:
        recorded = self.table.first(name)
        self.hits += recorded is not None
        self.misses += recorded is None
        return recorded

    def _judged(self, module: Any, count: int, generator: np.random.Generator) -> Measurement:
        if self.surrogate is None:
            return Measurement((), NOT_RECORDED)
        seconds = self.surrogate(module)
        if not math.isfinite(seconds):
            return Measurement((), NOT_JUDGED, self.costs.build_seconds)
        factors = np.exp(self.costs.noise * generator.standard_normal(count))
        lasting = self.costs.load_seconds + count * max(self.costs.sample_seconds, seconds)
        samples = logged_seconds((seconds * factors).tolist())
        return Measurement(samples, "", self.costs.build_seconds, lasting)

    def _account(self, result: Measurement) -> Measurement:
        self.simulated_seconds += result.build_seconds / self.build_workers + result.run_seconds
        return result
