"""What droplet search changes for one pair: before a transfer, after it, and in the own log."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from rivulet import paths
from rivulet.benchmark.estimates import (
    Sampling,
    Stopping,
    estimate_ratio,
    function_changes,
)
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.pair import PairResult
from rivulet.benchmark.repeat import repeat_benchmark, without_failures
from rivulet.benchmark.subject import Subject
from rivulet.droplet.study import AFTER_TRANSFER, BEFORE_TRANSFER, OWN_LOG, EffectRow
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.job import Job
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR, DROPLET, TRANSFER, TRANSFER_DROPLET, method_of
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record
from rivulet.provenance.behind import library_of, log_record_of
from rivulet.provenance.code import stage_code
from rivulet.records.best import best_traces
from rivulet.records.stored import read_kernel_table, read_log
from rivulet.stages.pair import PairStage
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm
from rivulet.workflow.settings import Effect

FROM_DROPLET = "transfer from droplet"
COMPARISONS = {
    OWN_LOG: (DROPLET, ANSOR),
    BEFORE_TRANSFER: (FROM_DROPLET, TRANSFER),
    AFTER_TRANSFER: (TRANSFER_DROPLET, TRANSFER),
}
# Changes of a function below this share of the model's time explain nothing.
_EXPLAINS = 0.005
_MOST_TOLD = 3


class MeasureEffect(PairStage[Effect]):
    """One row per comparison, and a record with every sample."""

    name = "effect"
    about = "Time a pair's variants without and with droplet beside each other."
    keys = ("source", "target", "hardware", "trials")
    made = paths.EFFECT_OF_PAIR

    @cached_property
    def compiled(self) -> dict[str, Path]:
        """Variant to the record that speaks for its compiled model."""
        variants = {
            ANSOR: (ANSOR, ""),
            DROPLET: (DROPLET, ""),
            TRANSFER: (TRANSFER, ANSOR),
            FROM_DROPLET: (TRANSFER, DROPLET),
            TRANSFER_DROPLET: (TRANSFER_DROPLET, ANSOR),
        }
        return {
            name: self.path(
                paths.compiled_record_of(method_of(method)), log_kind=log, model=self["target"]
            )
            for name, (method, log) in variants.items()
        }

    def inputs(self) -> list[Path]:
        """The target and the variants."""
        return [self.model_record, *self.compiled.values()]

    def work(self, job: Job) -> None:
        """Measure one pair."""
        chosen, device = self.settings.benchmark, self.device
        sampling = Sampling(chosen.confidence, chosen.bootstrap_resamples, chosen.seed)
        repetitions = self.settings.repetitions
        subject = self._subject(job)
        with job.measuring(device):
            state = environment(device)
            progress = job.progress(repetitions * subject.timing.samples, "rounds")
            repeated = repeat_benchmark(
                subject, Stopping(repetitions, repetitions, 0.0, sampling),
                lambda done, total, text: progress.update(
                    done, f"{len(self.compiled)} variants in turns, {text}", total
                ),
            )  # fmt: skip
            found = without_failures(repeated)
            changed = self._changed_kernels()
        rows = [self._row(name, found, changed[name], sampling) for name in COMPARISONS]
        table = self.output(".csv")
        write_table(EffectRow, rows, table)
        for row in rows:
            job.tell(
                f"droplet, {row.comparison}: {row.effect}x ({row.effect_low}-{row.effect_high}), "
                f"{row.verdict}"
            )
        facts = {
            "environment": state,
            "samples_ms": [one.samples for one in found],
            "functions_us": [one.functions for one in found],
            "code": stage_code("effect"),
        }
        self.write_record([table], facts)

    def _subject(self, job: Job) -> Subject:
        """What is timed."""
        chosen = self.settings.benchmark.model_dump(mode="json")
        model = read_record(self.model_record).facts
        tolerance, key = tolerance_for(chosen, model)
        return Subject(
            self.onnx, {name: library_of(record) for name, record in self.compiled.items()},
            model["inputs"], self.device, TimingSettings.from_settings(chosen), tolerance,
            baselines=(), checks=chosen["inputs"], weights=job.scratch / "weights.npz",
            tolerance_key=key,
        )  # fmt: skip

    def _changed_kernels(self) -> dict[str, set[str]]:
        """Names of the kernels whose schedules differ in each comparison."""
        load_tvm(self.device.threads)
        table = read_kernel_table(self.path(f"{paths.KERNELS}.csv", model=self["target"]))
        tasks = {row["workload"]: name for name, row in table.items()}
        taken = {
            name: best_traces(read_log(log_record_of(record).parent))
            for name, record in self.compiled.items()
        }
        return {
            name: {
                task for workload, task in tasks.items()
                if taken[method].get(workload) != taken[baseline].get(workload)
            }
            for name, (method, baseline) in COMPARISONS.items()
        }  # fmt: skip

    def _row(
        self, comparison: str, found: list[PairResult], changed: set[str], sampling: Sampling
    ) -> EffectRow:
        """One row of the table."""
        method, baseline = COMPARISONS[comparison]
        groups = {name: [one.samples[name] for one in found] for name in (baseline, method)}
        one = estimate_ratio(groups[baseline], groups[method], sampling)
        before, after = (
            median([median(samples) for samples in groups[name]]) for name in (baseline, method)
        )
        return EffectRow(
            hardware=self["hardware"],
            target=self["target"],
            source=self["source"],
            trials=int(self["trials"]),
            comparison=comparison,
            method=method,
            baseline=baseline,
            baseline_ms=round(before, 6),
            method_ms=round(after, 6),
            effect=round(one.value, 4),
            effect_low=round(one.low, 4),
            effect_high=round(one.high, 4),
            repetitions=len(found),
            verdict=one.verdict,
            reason=_reason(found, baseline, method, changed),
        )


def _reason(found: list[PairResult], baseline: str, method: str, changed: set[str]) -> str:
    """The kernels with other schedules that make most of the difference."""
    changes = [
        (name, *times)
        for name, *times in function_changes(found, baseline, method, _EXPLAINS)
        if name in changed
    ]
    told = [
        f"{name} {before:.0f} to {after:.0f} us" for name, before, after in changes[:_MOST_TOLD]
    ]
    if len(changes) > _MOST_TOLD:
        told.append(f"{len(changes) - _MOST_TOLD} more")
    return ", ".join(told)


STAGE = MeasureEffect
