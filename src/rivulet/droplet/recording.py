"""A bench whose answers are kept in a log, from which an interrupted descent takes them again.

A descent is deterministic but for its measurements. So it goes on by being run again from its
beginning on what was recorded, which takes seconds, until the record ends and the device answers.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.measure.protocol import Measurement, MeasuringBench, logged_seconds
from rivulet.records import Trial, TuningLog
from rivulet.records.trials import samples_text
from rivulet.tvm_compat.names import candidate_name

STRATEGY = "droplet"
CONFIRM = f"{STRATEGY}-confirm"


@dataclass(frozen=True)
class _Row:
    kernel: str
    strategy: str
    candidate: str
    result: Measurement


class RecordedBench:
    """Measures schedules, or takes from the log what was measured of them already.

    Args:
        bench: Measures what is not recorded.
        log: The descent's log.
        logger: Told of failures.

    Attributes:
        measured: New candidates measured so far.
        batch: Number of the round.
    """

    def __init__(self, bench: MeasuringBench, log: TuningLog, logger: logging.Logger) -> None:
        self._bench, self._log, self._logger = bench, log, logger
        self._left = deque(log.trials)
        self._rows: list[_Row] = []
        self._stray: dict[tuple[str, str], Measurement] = {}
        self._before, self._started = log.elapsed(), time.monotonic()
        self._seed = 0
        self.measured = self.batch = 0

    @property
    def replaying(self) -> bool:
        """Whether answers still come from the log."""
        return bool(self._left)

    @property
    def elapsed(self) -> float:
        """Seconds of measuring time, those of interrupted runs included.

        Running again on the record is none: an uninterrupted descent would not have done it.
        """
        return self._before + (0.0 if self.replaying else time.monotonic() - self._started)

    def stray(self, kernel: str, name: str) -> float | None:
        """Seconds of a candidate that an earlier run has measured and this one did not ask for.

        That happens where the code that decides has changed in between.
        """
        found = self._stray.get((kernel, name))
        return found.latency if found else None

    def look(self, kernel: str, schedules: Sequence[Any], best: float) -> list[Measurement]:
        """Measure the incumbent, which comes first, and new candidates.

        Args:
            kernel: Task name.
            schedules: The schedules.
            best: Latency of the incumbent in seconds, as far as it is known.
        """
        modules = [schedule.mod for schedule in schedules]
        asked = [
            (kernel, STRATEGY if place else CONFIRM, candidate_name(module))
            for place, module in enumerate(modules)
        ]
        self.measured += len(schedules) - 1
        recorded = self._recorded(asked)
        if recorded is not None:
            return recorded
        # Only where a record ends or goes another way can some of these be known already.
        known = {n: self._stray[kernel, name] for n, (_, strategy, name) in enumerate(asked)
                 if strategy == STRATEGY and (kernel, name) in self._stray}  # fmt: skip
        self.measured -= len(known)
        missing = [n for n in range(len(asked)) if n not in known]
        results = self._bench.measure([modules[n] for n in missing], {0: best})
        self._keep([asked[n] for n in missing], results)
        found = {**known, **dict(zip(missing, results, strict=True))}
        return [found[n] for n in range(len(asked))]

    def in_turns(self, kernel: str, schedules: Sequence[Any], rounds: int) -> list[Measurement]:
        """Measure schedules against each other, ``rounds`` samples each."""
        self._seed += 1
        modules = [schedule.mod for schedule in schedules]
        asked = [(kernel, CONFIRM, candidate_name(module)) for module in modules]
        recorded = self._recorded(asked)
        if recorded is not None:
            return recorded
        results = self._bench.measure_interleaved(modules, rounds, self._seed)
        self._keep(asked, results)
        return results

    def end_round(self, best_us: str, model_ms: str, spent: float) -> None:
        """Write the round's rows, all at once: a kill costs the round in flight.

        Args:
            best_us: Best latency of the round's kernel, for the table.
            model_ms: Latency of the model, for the table.
            spent: Seconds that the round took.
        """
        self.batch += 1
        if not self._rows:
            return
        elapsed = round(self.elapsed, 3)
        measuring = sum(r.result.build_seconds + r.result.run_seconds for r in self._rows)
        # Builds run side by side, so that this is a lower bound of what was spent on proposing.
        share = round(max(0.0, spent - measuring) / len(self._rows), 4)
        self._log.append(
            [
                Trial(
                    trial=0, elapsed_s=elapsed, kernel=row.kernel, batch=self.batch,
                    strategy=row.strategy, candidate=row.candidate, propose_s=share,
                    build_s=round(row.result.build_seconds, 4),
                    run_s=round(row.result.run_seconds, 4),
                    samples_us=samples_text(row.result.samples), error=row.result.error,
                    best_us=best_us, model_ms=model_ms,
                )
                for row in self._rows
            ]
        )  # fmt: skip
        self._rows.clear()

    def _keep(self, asked: list[tuple[str, str, str]], results: list[Measurement]) -> None:
        for one, result in zip(asked, results, strict=True):
            self._rows.append(_Row(*one, result))
            if result.error:
                self._logger.info("%s %s: %s", one[0], one[2], result.error)

    def _recorded(self, asked: list[tuple[str, str, str]]) -> list[Measurement] | None:
        """The log's next rows, if they answer what is asked."""
        if not self._left:
            return None
        rows = list(itertools.islice(self._left, len(asked)))
        if [(t.kernel, t.strategy, t.candidate) for t in rows] != asked[: len(rows)]:
            self._go_another_way()
        elif len(rows) < len(asked):
            # A kill cut this answer off in the middle of a write.
            self._log.forget(len(rows))
            self._leave_the_record()
        else:
            for _ in rows:
                self._left.popleft()
            if not self._left:
                self._leave_the_record()
            return [_measurement(trial) for trial in rows]
        return None

    def _go_another_way(self) -> None:
        self._logger.warning(
            "the log goes another way from trial %d on; what it has is not measured again",
            self._left[0].trial,
        )
        for trial in self._left:
            if trial.strategy == STRATEGY:
                self.measured += (trial.kernel, trial.candidate) not in self._stray
                self._stray[trial.kernel, trial.candidate] = _measurement(trial)
        self._leave_the_record()

    def _leave_the_record(self) -> None:
        self._left.clear()
        self._started = time.monotonic()


def _measurement(trial: Trial) -> Measurement:
    samples = logged_seconds(us * 1e-6 for us in trial.samples)
    return Measurement(samples, trial.error, trial.build_s, trial.run_s)
