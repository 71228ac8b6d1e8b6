"""One model's tuning: what is measured, recorded and resumed, whatever strategy proposes it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.errors import UserError
from rivulet.figures import milliseconds
from rivulet.kernels import Kernel
from rivulet.measure.protocol import Measurement, MeasuringBench
from rivulet.records import Trial, TuningLog
from rivulet.records.trials import samples_text, why_nothing_ran
from rivulet.tuning.candidate import Batch, Candidate, Role
from rivulet.tuning.kernel_state import KernelState
from rivulet.tuning.recorder import Asked, Recorder
from rivulet.tvm_compat.arguments import argument_infos

Report = Callable[[int, str], None]


def _quiet(_: int, __: str) -> None:
    pass


@dataclass(frozen=True)
class _Row:
    """A measurement that waits for the end of its batch.

    Attributes:
        candidate: What was measured.
        result: What came out.
        best: Seconds of the kernel's best when it was measured; None to take that of the batch's
            end.
        model_ms: The same of the model's latency, in milliseconds.
    """

    candidate: Candidate
    result: Measurement
    best: float | None = None
    model_ms: float | None = None


class Session:
    """One model's kernels, the bench that measures them, and the log of what was measured.

    Args:
        kernels: The model's kernels.
        target: TVM target.
        threads: Threads for applying schedules; no kernel runs meanwhile.
        log: Where trials and schedules go. One that holds trials already is continued.
        bench: Measures candidates.
        logger: Told of failures and decisions.
        report: Told how far it is and a line on how it stands, after each batch.
        since: When the work began, ``time.monotonic()``; by default now.

    Attributes:
        kernels: The kernels.
        states: How far each of them is.
        recorder: Answers from the log after an interruption.
        report: See above.
        benching: Seconds spent on building and timing so far.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        *,
        target: Any,
        threads: int,
        log: TuningLog,
        bench: MeasuringBench,
        logger: logging.Logger,
        report: Report = _quiet,
        since: float | None = None,
    ) -> None:
        self.kernels, self.target, self.threads = list(kernels), target, threads
        self.log, self.bench, self.logger, self.report = log, bench, logger, report
        self.states = [KernelState(kernel.weight) for kernel in kernels]
        self.recorder = Recorder(log, logger, since)
        self._name, self._keeps_schedules = "", True
        self._rows: list[_Row] = []
        self.benching = 0.0
        self._races = 0

    def enter(self, name: str, keeps_schedules: bool) -> None:
        """Let a strategy in.

        Args:
            name: What the log calls it.
            keeps_schedules: See `rivulet.tuning.strategy.Strategy`.
        """
        self._name, self._keeps_schedules = name, keeps_schedules

    @property
    def measured(self) -> int:
        """New candidates measured so far."""
        return self.recorder.measured

    @property
    def model_seconds(self) -> float:
        """Sum of the kernels' latencies; infinite while one has none."""
        return sum(state.weight * state.best for state in self.states)

    def model_text(self) -> str:
        """The model's latency for a progress line; empty while a kernel has none."""
        total = self.model_seconds
        return f"model {milliseconds(total * 1e3)}" if math.isfinite(total) else ""

    def require_a_valid_trial(self, what: str = "candidates") -> None:
        """A session in which nothing ever runs has a cause outside the schedules.

        Args:
            what: What was measured, in the plural.

        Raises:
            UserError: Not one measurement of the log is valid.
        """
        if problem := why_nothing_ran(self.log.trials, what):
            raise UserError(problem)

    def measure(self, batch: Batch) -> list[Measurement]:
        """Measure candidates, or take from the log what was measured of them already."""
        candidates = batch.candidates
        asked = [self._asked(one) for one in candidates]
        new = [one.role is Role.NEW for one in candidates]
        self.recorder.measured += sum(new)
        results = self.recorder.in_order(asked, self._column(Role.NEW))
        if results is None:
            return self._measure_unknown(batch, asked)
        for one, result in zip(candidates, results, strict=True):
            self._take(one, result)
        return results

    def in_turns(self, candidates: Sequence[Candidate], rounds: int) -> list[Measurement]:
        """Measure candidates against each other, ``rounds`` samples each."""
        self._races += 1
        asked = [self._asked(one) for one in candidates]
        recorded = self.recorder.in_order(asked, self._column(Role.NEW))
        if recorded is not None:
            return recorded
        began = time.monotonic()
        modules = [one.schedule.mod for one in candidates]
        results = self.bench.measure_interleaved(modules, rounds, self._races)
        self.benching += time.monotonic() - began
        for one, result in zip(candidates, results, strict=True):
            self.record(one, result)
        return results

    def record(self, candidate: Candidate, result: Measurement, counts: bool = False) -> None:
        """Note a measurement, to be written with its batch.

        Args:
            candidate: What was measured.
            result: What came out.
            counts: Whether it may be its kernel's best by that.
        """
        task = self.kernels[candidate.kernel].task
        if result.error:
            self.logger.info("%s %s: %s", task, candidate.name, result.error)
        if counts:
            state = self.states[candidate.kernel]
            state.improve(result.latency, candidate.alternative)
            row = _Row(candidate, result, state.best, self.model_seconds * 1e3)
        else:
            row = _Row(candidate, result)
        self._rows.append(row)

    def end_batch(self, kernel: int | None = None, spent: float = 0.0) -> None:
        """Write a batch's schedules and rows, all at once: a kill costs the batch in flight.

        Args:
            kernel: The kernel whose round it was.
            spent: Seconds that it took beside measuring.
        """
        self.recorder.batch += 1
        if kernel is not None:
            state = self.states[kernel]
            state.history.append(state.best)
        if not self._rows:
            return
        share = round(max(0.0, spent) / len(self._rows), 4)
        elapsed = round(self.recorder.elapsed, 3)
        for row in self._rows:
            self._keep_schedule(row)
        self.log.append([self._trial(row, elapsed, share) for row in self._rows])
        self._rows.clear()

    def _measure_unknown(self, batch: Batch, asked: Sequence[Asked]) -> list[Measurement]:
        """Measure those that the log does not answer by name."""
        known: dict[int, Measurement] = {}
        for place, one in enumerate(batch.candidates):
            found = self.recorder.known(asked[place].kernel, one.name)
            if one.role is not Role.CONFIRM and found is not None:
                known[place] = found
                self.recorder.measured -= one.role is Role.NEW
                self._take(one, found)
        missing = [place for place in range(len(asked)) if place not in known]
        chosen = [batch.candidates[place] for place in missing]
        best: dict[Hashable, float] = {one.kernel: self.states[one.kernel].best for one in chosen}
        best.update(batch.incumbent or {})
        began = time.monotonic()
        groups: list[Hashable] = [one.kernel for one in chosen]
        modules = [one.schedule.mod for one in chosen]
        results = self.bench.measure(modules, best, groups) if modules else []
        self.benching += time.monotonic() - began
        for one, result in zip(chosen, results, strict=True):
            self.record(one, result, self._counts(one))
        found_now = dict(zip(missing, results, strict=True))
        return [known[n] if n in known else found_now[n] for n in range(len(asked))]

    def _take(self, candidate: Candidate, result: Measurement) -> None:
        """Take what the log has answered."""
        if self._counts(candidate):
            self.states[candidate.kernel].improve(result.latency, candidate.alternative)

    def _counts(self, candidate: Candidate) -> bool:
        """Does a measurement by itself tell what its kernel takes?"""
        return self._keeps_schedules and candidate.role is not Role.CONFIRM

    def _keep_schedule(self, row: _Row) -> None:
        one = row.candidate
        if self._counts(one) and one.role is Role.NEW and row.result.samples:
            self.log.commit(
                self.kernels[one.kernel], one.schedule.trace, row.result.latency, self.target,
                arguments=argument_infos(one.schedule.mod), candidate=one.name,
            )  # fmt: skip

    def _trial(self, row: _Row, elapsed: float, propose_s: float) -> Trial:
        one, result = row.candidate, row.result
        best = self.states[one.kernel].best if row.best is None else row.best
        model = self.model_seconds * 1e3 if row.model_ms is None else row.model_ms
        return Trial(
            trial=0,
            elapsed_s=elapsed,
            kernel=self.kernels[one.kernel].task,
            batch=self.recorder.batch,
            strategy=self._column(one.role),
            candidate=one.name,
            propose_s=propose_s,
            build_s=round(result.build_seconds, 4),
            run_s=round(result.run_seconds, 4),
            samples_us=samples_text(result.samples),
            error=result.error,
            best_us=f"{best * 1e6:.4f}" if math.isfinite(best) else "",
            model_ms=f"{model:.6f}" if math.isfinite(model) else "",
        )

    def _asked(self, one: Candidate) -> Asked:
        return Asked(self.kernels[one.kernel].task, self._column(one.role), one.name)

    def _column(self, role: Role) -> str:
        return f"{self._name}{role.value}"
