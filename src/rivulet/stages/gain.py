"""What droplet search gained on one model's logs, beside Ansor's search continued for as long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.droplet.moves import MOVES, modules_after
from rivulet.droplet.study import GainRow
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.job import Job
from rivulet.kernels import Kernel
from rivulet.measure.side_by_side import (
    Weighted,
    measure_side_by_side,
    slower_and_faster,
    sum_ratio,
)
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR, DROPLET
from rivulet.provenance import read_record
from rivulet.provenance.code import stage_code
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.records.trials import Trial, read_trials
from rivulet.stages.tuning import MeasuringStage
from rivulet.tables import write_table
from rivulet.workflow.choices import gain_trials
from rivulet.workflow.settings import Gain

_BUDGET_SHARES = (0.25, 0.5, 1.0)
# Kernels that a log has no schedule of run with default loops, which may be very slow.
_LEAST_TIMEOUT = 120.0  # seconds


@dataclass(frozen=True)
class _Step:
    """Droplet search on the log of one trial count, as it was after part of its budget.

    Attributes:
        count: The trial count.
        budget: Candidates that droplet search had measured.
        whole: Whether that is all it measured.
        before_s: Seconds of Ansor's search up to the trial count.
        droplet_s: Seconds of droplet search up to the budget.
        further: Trials of Ansor's search that goes furthest.
    """

    count: int
    budget: int
    whole: bool
    before_s: float
    droplet_s: float
    further: Sequence[Trial]

    @property
    def equal_trials(self) -> int | None:
        """Trials of Ansor's search that cost as many candidates; None where its log ends before."""
        total = self.count + self.budget
        return total if total <= len(self.further) else None

    @property
    def equal_seconds(self) -> int | None:
        """Trials that Ansor's search had after as much time; None where its log ends before."""
        total = self.before_s + self.droplet_s
        within = sum(trial.elapsed_s <= total for trial in self.further)
        return within if within < len(self.further) else None


class MeasureGain(MeasuringStage[Gain]):
    """One row per trial count and budget of droplet search, and a record with every sample."""

    name = "gain"
    about = "Measure what droplet search gained on a model's logs."
    keys = ("model", "hardware")
    made = paths.GAIN_OF_MODEL

    def _log(self, method: str, trials: int) -> Path:
        return self.path(paths.OWN_LOG, own_log=method, trials=trials)

    @cached_property
    def further(self) -> Path:
        """Ansor's log that goes furthest."""
        return self._log(ANSOR, gain_trials(self.plan.config)[1])

    def inputs(self) -> list[Path]:
        """The kernels, and the logs of every trial count without droplet and with it."""
        counts = self.plan.config.trials
        logs = [self._log(method, n) for method in (ANSOR, DROPLET) for n in counts]
        records = [log / paths.RECORD for log in [*logs, self.further]]
        return [self.path(f"{paths.KERNELS}.json"), *records]

    def work(self, job: Job) -> None:
        """Measure one model."""
        further = read_trials(self.further / paths.TRIALS)
        steps = [step for count in self.plan.config.trials for step in self._steps(count, further)]
        limit = max(_LEAST_TIMEOUT, self.settings.measure.run_timeout_s)
        with self.tuned(job) as tuned:
            state = environment(self.device)
            variants = self._variants(job, tuned.kernels, steps)
            progress = job.progress(len(tuned.kernels), "kernels")
            with self.bench(job, tuned, run_timeout_s=limit) as bench:
                samples = measure_side_by_side(
                    tuned.kernels, variants, bench, self.settings.rounds, seed=self.settings.seed,
                    report=progress.update,
                )  # fmt: skip
        rows = [self._row(step, samples, len(tuned.kernels)) for step in steps]
        table = self.output(".csv")
        write_table(GainRow, rows, table)
        for row in rows:
            job.tell(
                f"{row.droplet_trials} trials of droplet after {row.ansor_trials}: {row.gain}x "
                f"({row.gain_low}-{row.gain_high})"
            )
        facts = {
            "environment": state,
            "kernels": [kernel.task for kernel in tuned.kernels],
            "samples_s": {n: [one for _, one in weighted] for n, weighted in samples.items()},
            "code": stage_code("gain"),
        }
        self.write_record([table], facts)

    def _steps(self, count: int, further: Sequence[Trial]) -> list[_Step]:
        """Droplet search on one log, at several parts of its budget."""
        droplet = self._log(DROPLET, count)
        before = read_record(self._log(ANSOR, count) / paths.RECORD).facts["search_seconds"]
        whole = read_record(droplet / paths.RECORD).facts["search_seconds"]
        made = [t for t in read_trials(droplet / paths.TRIALS) if t.strategy == DROPLET]
        budgets = dict.fromkeys(math.ceil(share * len(made)) for share in _BUDGET_SHARES)
        return [
            _Step(
                count, n, n == len(made), before,
                whole if n == len(made) else made[n - 1].elapsed_s, further,
            )
            for n in budgets if n
        ]  # fmt: skip

    def _variants(
        self, job: Job, kernels: list[Kernel], steps: Sequence[_Step]
    ) -> dict[str, dict[str, Any]]:
        """Scheduled modules of every variant that some step compares, by its name."""

        def best_of(folder: Path) -> dict[str, Any]:
            thinned = job.scratch / f"best-of-{folder.parent.name}-{folder.name}"
            return open_thinned(read_log(folder), thinned, 1, logger=job.logger).best_modules(
                kernels
            )

        variants = {}
        counts = {n for s in steps for n in (s.count, s.equal_trials, s.equal_seconds)} - {None}
        for count in sorted(n for n in counts if n is not None):
            first = job.scratch / f"first-{count}"
            publish(self.further, first, count)
            variants[f"ansor-{count}"] = best_of(first)
        for step in steps:
            droplet = self._log(DROPLET, step.count)
            if step.whole:
                found = best_of(droplet)
            else:
                moved = modules_after(droplet / MOVES, kernels, step.budget)
                found = variants[f"ansor-{step.count}"] | moved
            variants[f"droplet-{step.count}-{step.budget}"] = found
        return variants

    def _row(self, step: _Step, samples: dict[str, Weighted], kernels: int) -> GainRow:
        """What a step shows."""
        before = samples[f"ansor-{step.count}"]
        after = samples[f"droplet-{step.count}-{step.budget}"]

        def against(column: str, verdict: str, trials: int | None) -> dict[str, Any]:
            """The columns of one comparison with the log after some trials."""
            if trials is None:
                return {column: None, f"{column}_low": None, f"{column}_high": None, verdict: ""}
            found = sum_ratio(
                samples[f"ansor-{trials}"], after, self.settings.confidence,
                self.settings.bootstrap_resamples, seed=self.settings.seed,
            )  # fmt: skip
            return {
                column: round(found.value, 4),
                f"{column}_low": round(found.low, 4),
                f"{column}_high": round(found.high, 4),
                verdict: found.verdict,
            }

        slower, faster = slower_and_faster(before, after, self.settings.significance)
        return GainRow(
            hardware=self["hardware"],
            model=self["model"],
            ansor_trials=step.count,
            droplet_trials=step.budget,
            ansor_seconds=round(step.before_s, 3),
            droplet_seconds=round(step.droplet_s, 3),
            ansor_ms=_total_ms(before),
            droplet_ms=_total_ms(after),
            **against("gain", "gain_verdict", step.count),
            equal_trials=step.equal_trials,
            **against("vs_equal_trials", "equal_trials_verdict", step.equal_trials),
            equal_seconds_trials=step.equal_seconds,
            **against("vs_equal_seconds", "equal_seconds_verdict", step.equal_seconds),
            kernels=kernels,
            kernels_faster=faster,
            kernels_slower=slower,
        )


def _total_ms(weighted: Weighted) -> float:
    """Weighted sum of the kernels' median latencies, in milliseconds."""
    return round(sum(weight * median(samples) for weight, samples in weighted) * 1e3, 6)


STAGE = MeasureGain
