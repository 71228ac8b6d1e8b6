"""Benchmark a pair: all methods on the target, timed interleaved in processes of their own."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rivulet import paths
from rivulet.benchmark.blame import find_wrong_kernels
from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.kernel_rows import KernelRow, Roofline, kernel_rows
from rivulet.benchmark.repeat import Repeated, repeat_benchmark
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.table import (
    MethodRow,
    SampleRow,
    fill_latencies,
    sample_rows,
    write_rows,
)
from rivulet.errors import UserError
from rivulet.hardware.conduct import clocks
from rivulet.hardware.fingerprint import environment
from rivulet.jobs.job import Job
from rivulet.measure.roofline import RoofRow
from rivulet.methods import ANSOR, UNTUNED, method_of, runtimes
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record
from rivulet.provenance.behind import library_of, log_record_of
from rivulet.provenance.checkout import commit, versions
from rivulet.provenance.code import stage_code
from rivulet.records.curve import Curve, read_curve
from rivulet.records.stored import read_kernel_table
from rivulet.stages.pair import PairStage
from rivulet.tables import read_table, write_table
from rivulet.workflow.choices import compiled_records, table_methods
from rivulet.workflow.settings import Benchmarking

# Columns of a method that the record of its log tells.
_TOLD = ("search_seconds", "trials_measured", "kernels_total", "kernels_covered", "flops_covered")


class BenchmarkPair(PairStage[Benchmarking]):
    """The pair's table, every sample behind it, and the kernels of each method."""

    name = "benchmark"
    about = "Time all methods on a target, interleaved."
    made = paths.BENCHMARK

    @cached_property
    def methods(self) -> list[str]:
        """What is timed, in order."""
        return table_methods(self.plan.config, self.values)

    @cached_property
    def compiled(self) -> dict[str, Path]:
        """Method to the record of its compiled model; other runtimes have none."""
        found = compiled_records(self.plan.config, self["source"], self["log_kind"])
        return {name: self.path(pattern) for name, pattern in found.items() if name in self.methods}

    @cached_property
    def logs(self) -> dict[str, Path]:
        """Method to the record of the log behind it; baselines have none."""
        return {
            method: log_record_of(record)
            for method, record in self.compiled.items()
            if method_of(method).has_log
        }

    @property
    def roofline(self) -> Path:
        """Table of the machine's roofs."""
        return self.path(f"{paths.ROOFLINE}.csv")

    @property
    def kernels(self) -> Path:
        """Table of the target's kernels."""
        return self.path(f"{paths.KERNELS}.csv", model=self["target"])

    def inputs(self) -> list[Path]:
        """The target, the roofline, and of each method the compiled model and the log."""
        compiled = list(self.compiled.values())
        if not all(record.exists() for record in compiled):
            return compiled  # they tell the logs
        roofline = self.roofline.with_suffix(".json")
        return [self.model_record, roofline, *compiled, *self.logs.values()]

    def work(self, job: Job) -> None:
        """Benchmark the pair."""
        chosen, device = self.settings.benchmark, self.device
        sampling = Sampling(chosen.confidence, chosen.bootstrap_resamples, chosen.seed)
        subject = self._subject(job)
        stopping = Stopping(
            chosen.processes, 1 if chosen.processes == 1 else chosen.max_processes,
            chosen.precision, sampling,
            (UNTUNED,),  # nobody runs it so, and it takes longest
        )  # fmt: skip
        detail = f"{len(self.methods)} methods in turns"
        progress = job.progress(stopping.most * subject.timing.samples, "rounds")
        with job.measuring(device):
            state = environment(device)
            found = repeat_benchmark(
                subject, stopping,
                lambda done, total, text: progress.update(done, f"{detail}, {text}", total),
            )  # fmt: skip
            state["clocks_after"] = clocks()
            self._blame(job, found, subject)
        rows = [self._row(method, found) for method in self.methods]
        fill_latencies(rows, {m: found.groups(m) for m in self.methods}, sampling)
        conduct = [one.conduct for one in found.results if one.conduct is not None]
        for row in rows:
            row.disturbed = "; ".join(found.complaints)
            text = row.error
            if row.interval:  # neither, where all processes that timed it were set aside
                low, high = row.interval
                text = f"{row.latency_ms:.3f} ms ({low:.3f}-{high:.3f})"
            job.logger.info("%s: %s", row.method, text)
        outputs = self._write(rows, found, sampling)
        for complaint in found.complaints:
            job.tell(f"the table is marked: {complaint}")
        facts = {
            "environment": {
                **state,
                **found.results[0].toolchain,
                "versions": versions(),
                "commit": commit(),
            },
            "conduct": [one.facts() for one in conduct],
            "runtimes": found.results[0].runtimes,
            "config": self.plan.config.plain,
            "code": stage_code("benchmark"),
        }
        self.write_record(outputs, facts)

    def _subject(self, job: Job) -> Subject:
        """What is timed."""
        chosen = self.settings.benchmark.model_dump(mode="json")
        model = read_record(self.model_record)
        tolerance, key = tolerance_for(chosen, model.facts)
        return Subject(
            self.onnx, {m: library_of(record) for m, record in self.compiled.items()},
            model.facts["inputs"], self.device, TimingSettings.from_settings(chosen), tolerance,
            [m for m in self.methods if m in runtimes()],
            definition=model.settings["model"], checks=chosen["inputs"],
            weights=job.scratch / "weights.npz", peak_gflops=self._roofs().get("compute"),
            # Seconds long on large models, and hundreds of times slower than what it is held
            # against: an observation in each of several processes tells all that anyone asks.
            once_only=[] if chosen["processes"] == 1 else [UNTUNED],
            tolerance_key=key,
        )  # fmt: skip

    def _blame(self, job: Job, found: Repeated, subject: Subject) -> None:
        """Name the kernels behind each wrong output; the device is still held."""
        for method, reason in found.failures.items():
            if not (reason.startswith("wrong output") and method in self.logs):
                continue
            job.tell(f"{method}: {reason}; replaying its kernels one at a time")
            try:
                told = find_wrong_kernels(
                    self.logs[method].parent, self.device.location, subject.tolerance,
                    subject.timing.seed, scratch=job.scratch,
                    report=lambda done, kernel: job.logger.info("replayed %d: %s", done, kernel),
                    table=self.kernels,
                ).text  # fmt: skip
            except UserError as error:
                told = f"its kernels could not be replayed: {error}"
            found.failures[method] = f"{reason}; {told}"

    def _roofs(self) -> dict[str, float]:
        """Roof to its peak."""
        return {row.roof: row.peak for row in read_table(RoofRow, self.roofline)}

    def _write(self, rows: list[MethodRow], found: Repeated, sampling: Sampling) -> list[Path]:
        """Write the three tables."""
        table, samples, kernels = (
            self.path(f"{pattern}.csv")
            for pattern in (paths.BENCHMARK, paths.BENCHMARK_SAMPLES, paths.BENCHMARK_KERNELS)
        )
        for path in (table, samples, kernels):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(rows, table)
        write_table(SampleRow, sample_rows(found), samples)
        roofs = self._roofs()
        found_kernels = kernel_rows(
            self.subject(), found.used, read_kernel_table(self.kernels),
            Roofline(roofs["compute"], roofs["bandwidth"]) if roofs else None, sampling=sampling,
            failed=found.failures,
        )  # fmt: skip
        write_table(KernelRow, found_kernels, kernels)
        return [table, samples, kernels]

    def _row(self, method: str, found: Repeated) -> MethodRow:
        """A method's row, all but the latencies."""
        row = MethodRow(
            hardware=self["hardware"], target=self["target"], source=self["source"],
            method=method, log=self["log_kind"], trials=int(self["trials"]),
            fingerprint=self.settings.fingerprint, tvm_version=self.settings.tvm,
            error=found.failures.get(method, ""),
        )  # fmt: skip
        if method in found.errors and np.isfinite(found.errors[method]):
            row.max_rel_error = float(found.errors[method])
        if method in self.logs:
            facts, one = read_record(self.logs[method]).facts, method_of(method)
            for column in _TOLD:
                setattr(row, column, facts[column])
            before = self._facts_of(one.goes_on_from)["search_seconds"] if one.goes_on_from else 0.0
            _compare_times(row, facts, self._ansor, before)
            # What goes on from a transfer leans on the same sources.
            leaning = one.goes_on_from if one.moves and one.goes_on_from else method
            row.source_search_seconds = self._facts_of(leaning).get("source_search_seconds")
        elif method == UNTUNED:
            row.search_seconds = row.trials_measured = row.kernels_covered = row.flops_covered = 0
            row.kernels_total = read_record(self.kernels.with_suffix(".json")).facts["kernels"]
        return row

    def _facts_of(self, method: str) -> dict[str, Any]:
        """What the record of a method's log says."""
        return read_record(self.logs[method]).facts

    @cached_property
    def _ansor(self) -> Curve:
        """How Ansor's search went."""
        return read_curve(self.logs[ANSOR].parent / paths.TRIALS)


def _compare_times(row: MethodRow, facts: dict[str, Any], ansor: Curve, before: float) -> None:
    """Ansor's progress beside a method's result; both are sums of kernels in their logs.

    ``before`` is the search time that the method builds on.
    """
    # Without a schedule of every kernel the sum leaves something out, but for a transfer's, which
    # has the default loops of those kernels in it.
    if method_of(row.method).compiles or facts["kernels_covered"] == facts["kernels_total"]:
        row.kernel_sum_ms = facts["kernel_latency_sum_ms"]
    if row.method == ANSOR or row.kernel_sum_ms is None:
        return
    row.ansor_sum_ms_at_equal_time = ansor.at(before + facts["search_seconds"])
    match = ansor.reach(row.kernel_sum_ms)
    row.ansor_seconds_to_match = math.inf if match is None else match.seconds


STAGE = BenchmarkPair
