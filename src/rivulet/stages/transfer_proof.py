"""Check the whole target model with the schedules of a transfer, and time it in place."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.benchmark.in_place import InPlace, prove_in_place
from rivulet.benchmark.untuned import Subject, Untuned
from rivulet.errors import UserError
from rivulet.figures import milliseconds
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.open_place import at_place
from rivulet.hardware.place import Place
from rivulet.jobs.job import Job
from rivulet.kernels.extract import refuse_others
from rivulet.kernels.naming import short_name
from rivulet.measure.statistics import median
from rivulet.models.precision import allowed_error
from rivulet.provenance import read_record
from rivulet.records import TuningLog
from rivulet.stages.pair import PairLogStage
from rivulet.stages.tuning import Tuned
from rivulet.transfer import TransferSettings
from rivulet.transfer.result import TransferResult
from rivulet.workflow.settings import Transferring

_ATTEMPTS = 3  # with all schedules, with those that are right alone, with none


class TransferTarget(PairLogStage[Transferring]):
    """A stage that has a target model to run whole."""

    keeps_built = True

    @property
    def untuned_record(self) -> Path:
        """Record of the target compiled without schedules."""
        return self.path(f"{paths.COMPILED_UNTUNED}.json", model=self["target"])

    @cached_property
    def accepted(self) -> TransferSettings:
        """The config's settings, with the tolerance that this model needs."""
        settings = TransferSettings(**self.settings.transfer.model_dump())
        facts = read_record(self.model_record).facts
        allowed = allowed_error(settings.tolerance, self.settings.tolerances or {}, facts)
        return replace(settings, tolerance=allowed)

    def whole_model(self, tuned: Tuned) -> Subject:
        """The target model, as it is run whole."""
        model = prepare_model(self.onnx, tuned.target)
        refuse_others(model.module, (k.workload for k in tuned.kernels), self.workloads)
        return Subject(
            model, tuned.kernels, read_record(self.model_record).facts["inputs"], tuned.target,
            self.accepted.seed, self.accepted.significance, self.accepted.tolerance, self.onnx,
            self.device.threads, linker=self.device.linker,
        )  # fmt: skip


class Proof:
    """Checks and times the target with what a transfer took; replaces what is wrong or slower.

    Args:
        stage: The transfer.
        job: Its job.
        tuned: The target's kernels.
        subject: The target, to be run whole.
        untuned: What a run of it without schedules has told.
    """

    def __init__(
        self, stage: TransferTarget, job: Job, tuned: Tuned, subject: Subject, *, untuned: Untuned
    ) -> None:
        self._stage, self._job, self._tuned = stage, job, tuned
        self._subject, self._untuned = subject, untuned

    def prove(self, result: TransferResult, chosen: TuningLog) -> dict[str, Any]:
        """Check the whole model, and time it.

        Args:
            result: What the transfer came to; gets what is put back.
            chosen: The log of what it took.

        Returns:
            Facts for the record, with the seconds of each step.

        Raises:
            UserError: The output is wrong without any of it.
        """
        steps = {"compiling": 0.0, "proof": 0.0, "in place": 0.0}
        for attempt in range(_ATTEMPTS):
            found, kept = self._look(chosen)
            steps["compiling"] += found.compile_seconds
            steps["proof"] += found.proof_seconds
            steps["in place"] += found.timing_seconds
            if found.right:
                break
            if attempt == _ATTEMPTS - 1:
                raise UserError(
                    "the model's output is wrong without any transferred schedule "
                    f"({found.error:.1e}, allowed by transfer.tolerance or the benchmark's: "
                    f"{self._stage.accepted.tolerance:g}); its default loops, or what they are "
                    "compiled to, change from one run to the next"
                )
            begun = time.monotonic()
            chosen = self._mend(result, found.error, attempt)
            steps["proof"] += time.monotonic() - begun
        result.is_right()
        for task in found.put_back:
            result.put_back(task)
        before, after = (milliseconds(median(ms)) for ms in (found.before_ms, found.after_ms))
        self._job.tell(f"the whole model: {before} without, {after} with what was taken")
        return {
            "taken": kept.folder.name,
            "output_error": found.error,
            "in_place_before_ms": found.before_ms,
            "in_place_after_ms": found.after_ms,
            "in_place_seconds": round(sum(steps.values()), 3),
            "put_back": found.put_back,
            "steps": steps,
        }

    def _look(self, chosen: TuningLog) -> tuple[InPlace, TuningLog]:
        """Run the model with some schedules."""
        folder = self._stage.folder

        def work(place: Place | None) -> tuple[InPlace, TuningLog]:
            return prove_in_place(
                replace(self._subject, place=place), self._untuned, chosen, folder,
                library=folder / "model.so", say=self._job.tell, logger=self._job.logger,
            )  # fmt: skip

        return at_place(self._stage.device.location, work)

    def _mend(self, result: TransferResult, error: float, attempt: int) -> TuningLog:
        """A log without the schedules that make the model's output wrong."""
        job = self._job
        job.tell(f"the whole model's output is wrong ({error:.1e}); each kernel is checked alone")
        changed = []
        if not attempt:
            with self._stage.bench(job, self._tuned) as bench:
                changed = result.replace_wrong(self._stage.accepted, bench, job.logger)
        log = TuningLog(self._stage.folder / f"right-{attempt}", job.logger)
        if changed:
            job.tell(f"wrong, and replaced: {', '.join(short_name(task) for task in changed)}")
        else:
            job.tell("no kernel is wrong when it runs alone: all keep their default schedule")
            for kernel in self._tuned.kernels:
                reason = "the whole model is wrong, each kernel alone is right"
                result.put_back(kernel.task, reason)
        result.record(log, self._tuned.target)
        return log
