"""Transfer the schedules of one or more sources to a target model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.benchmark.untuned import look_at_untuned
from rivulet.hardware.open_place import at_place
from rivulet.jobs.job import Job
from rivulet.jobs.progress import duration
from rivulet.kernels import load_kernels
from rivulet.kernels.kernel import covered_flops
from rivulet.methods import TRANSFER
from rivulet.provenance import read_record
from rivulet.provenance.behind import library_of
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.report.schedules import write_schedules
from rivulet.stages.donors import donor_files, donor_source
from rivulet.stages.transfer_proof import Proof, TransferTarget
from rivulet.stages.tuning import Tuned
from rivulet.transfer import TransferTuning, load_source
from rivulet.transfer.remarks import remarks
from rivulet.transfer.result import TransferResult
from rivulet.transfer.sources import Source, made_here
from rivulet.transfer.table import CandidateRow, covered_kernels, write_candidates
from rivulet.tuning import tune
from rivulet.workflow.choices import transfer_sources

_STARTED = time.time()  # loading TVM is part of what a transfer takes


class Transfer(TransferTarget):
    """The log of transferred schedules, a log of all that were measured, and the compiled model."""

    name = "transfer"
    about = "Reuse other models' schedules on a target model's kernels."
    made = paths.MOVED_LOG.at(moved=TRANSFER)
    journal = paths.MOVED_JOURNAL.at(moved=TRANSFER)

    @property
    def sources(self) -> list[str]:
        """Names of the sources, in the order of the config."""
        return transfer_sources(self.plan.config, self["source"], self["target"])

    @cached_property
    def models(self) -> dict[str, Path]:
        """Those that are models of the config, and the folders of their logs."""
        return {
            name: self.path(paths.OWN_LOG, own_log=self["log_kind"], model=name)
            for name in self.sources
            if name not in self.donors
        }

    @property
    def donors(self) -> dict[str, Any]:
        """The sources that are logs from elsewhere, by their entries in the config."""
        return self.settings.taken_donors or {}

    def inputs(self) -> list[Path]:
        """The target, exported and compiled untuned, and the kernels and logs of the sources."""
        kernels = f"{paths.KERNELS}.json"
        return [
            self.model_record, self.untuned_record, self.kernels_record,
            *(self.path(kernels, model=name) for name in self.models),
            *(folder / paths.RECORD for folder in self.models.values()),
            *donor_files(self.donors),
        ]  # fmt: skip

    @property
    def library(self) -> Path:
        """The compiled model."""
        return self.path(f"{paths.COMPILED_MOVED}.so", moved=TRANSFER)

    def publish(self, facts: Mapping[str, Any]) -> list[Path]:
        """Write logs, candidates, the compiled model and the page of its schedules."""
        out, schedules = self.path(self.made), self.library.with_suffix(".html")
        self.library.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.folder / "model.so", self.library)
        outputs = [
            *publish(self.folder / facts["taken"], out),
            *publish(self.folder / paths.MEASURED, out / paths.MEASURED),
            out / paths.CANDIDATES, out / paths.TRIALS, self.library, schedules,
        ]  # fmt: skip
        title = f"{self.subject()['name']}, transfer from the {self['log_kind']} log"
        write_schedules(title, out, self.kernels_record.with_suffix(".csv"), schedules)
        shutil.copyfile(self.folder / paths.CANDIDATES, out / paths.CANDIDATES)
        shutil.copyfile(out / paths.MEASURED / paths.TRIALS, out / paths.TRIALS)
        return outputs

    def measure(self, job: Job) -> dict[str, Any]:
        """Run the transfer, or what is left of it; returns the log's facts."""
        asked = time.time()
        with self.tuned(job) as tuned:
            waited = time.time() - asked  # for another job's measurement
            self._remove_cut_off()
            progress = job.progress(len(tuned.kernels), "kernels")
            progress.update(0, "running the model as it is without schedules")
            subject = self.whole_model(tuned)
            begun = time.monotonic()
            steps = {"start": time.time() - _STARTED - waited}
            untuned = at_place(
                self.device.location,
                lambda place: look_at_untuned(
                    replace(subject, place=place), library_of(self.untuned_record)
                ),
            )
            steps["without schedules"] = time.monotonic() - begun
            with self.bench(job, tuned) as bench:
                sources = self._sources(job)
                measured = TuningLog.resume(self.folder / paths.MEASURED, job.logger)
                chosen = TuningLog(self.folder / "chosen", job.logger)
                session = self.session(
                    job, tuned, measured, bench, report=progress.update, since=begun
                )
                strategy = TransferTuning(
                    self.accepted, sources, scratch=job.scratch, space=self.settings.space,
                    untuned=untuned.seconds,
                )  # fmt: skip
                tune(strategy, session)
                result = strategy.result
                result.record(chosen, tuned.target)
            searching = result.seconds - steps["without schedules"] - result.settling_seconds
            steps |= {"candidates": searching, "settling": result.settling_seconds}
            proven = Proof(self, job, tuned, subject, untuned=untuned).prove(result, chosen)
        write_candidates(result.rows, self.folder / paths.CANDIDATES)
        steps |= proven.pop("steps")
        parts = ", ".join(f"{step} {duration(seconds)}" for step, seconds in steps.items())
        job.tell(f"took {duration(sum(steps.values()))}: {parts}")
        facts = self._described(job, tuned, measured, result) | proven
        return facts | {"seconds_by_step": {step: round(s, 3) for step, s in steps.items()}}

    def _remove_cut_off(self) -> None:
        """Remove what an interrupted run has compiled and chosen."""
        for pattern in ("chosen", "kept-*", "right-*"):
            for attempt in self.folder.glob(pattern):
                shutil.rmtree(attempt)
        for library in self.folder.glob("model-*.so"):
            library.unlink()

    def _sources(self, job: Job) -> list[Source]:
        """Open the sources' logs, after checking those of donors."""
        settings, best = self.settings.record(), self.accepted.records_per_source_kernel
        sources = []
        for name in self.sources:
            if name in self.donors:
                one = self.donors[name]
                sources.append(donor_source(job, name, one, settings=settings, best=best))
            else:
                known = load_kernels(self.path(paths.WORKLOADS, model=name))
                folder = self.models[name]
                sources.append(
                    load_source(name, folder, known, job.scratch, best=best, logger=job.logger)
                )
            if not sources[-1].kernels:
                job.tell(f"the log of {name} has no schedule; nothing can be taken from it")
        return sources

    def _described(
        self, job: Job, tuned: Tuned, measured: TuningLog, result: TransferResult
    ) -> dict[str, Any]:
        """Facts of the finished transfer, and a line on it."""
        rows = [{key: str(value) for key, value in asdict(row).items()} for row in result.rows]
        covered = covered_kernels(rows)
        tried = [trial for trial in measured.trials if trial.strategy == TransferTuning.name]
        total = len(tuned.kernels)
        facts = {
            "search_seconds": round(result.seconds, 3),
            "seconds_from_start": round(time.time() - _STARTED, 3),
            "trials_measured": len(tried),
            "trials_failed": sum(bool(trial.error) for trial in tried),
            "kernels_total": total,
            "kernels_covered": len(covered),
            "flops_covered": round(covered_flops(tuned.kernels, covered), 6),
            "kernels_transferred": sum(
                row.chosen == "yes" and row.kind != "default" for row in result.rows
            ),
            "kernel_latency_sum_ms": _model_ms(result.rows, total),
            "source_search_seconds": self._source_seconds(),
            "stopped": result.stopped,
            "code": stage_code(self.name),
        }
        for remark in remarks(result.cases, measured.trials):
            job.tell(remark)
        job.tell(
            f"{len(covered)} of {total} kernels covered ({facts['flops_covered']:.0%} of FLOPs), "
            f"{facts['kernels_transferred']} faster than the default; {result.stopped}"
        )
        return facts

    def _source_seconds(self) -> float | str:
        """Search time of all sources; empty where a donor does not tell its own, or tells another
        device's."""
        total = _search_seconds([folder / paths.RECORD for folder in self.models.values()])
        for one in self.donors.values():
            log = read_log(Path(one["log"]))
            facts = log.origin.facts.get("facts") or {}
            if "search_seconds" not in facts or not made_here(log, self.settings.record()):
                return ""
            total += float(facts["search_seconds"])
        return round(total, 3)


def _model_ms(rows: list[CandidateRow], kernels: int) -> float | str:
    """Sum over the kernels of what they take, in milliseconds; empty where one has no latency."""
    taken = [row for row in rows if row.chosen == "yes" and row.median_us]
    if len(taken) < kernels:
        return ""
    return round(sum(row.weight * float(row.median_us) * 1e-3 for row in taken), 6)


def _search_seconds(records: list[Path]) -> float:
    """Search time that the sources' logs took, each with the log that it started from."""
    total = 0.0
    for path in records:
        record = read_record(path)
        behind = [Path(name) for name in record.inputs if Path(name).name == paths.RECORD]
        total += float(record.facts.get("search_seconds", 0)) + _search_seconds(behind)
    return round(total, 3)


STAGE = Transfer
