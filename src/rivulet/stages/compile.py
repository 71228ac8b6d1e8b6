"""Compile a model with the best schedules of a log; measures nothing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rivulet import paths
from rivulet.benchmark.compile import compile_model
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.target import resolve_target
from rivulet.jobs.job import Job
from rivulet.kernels.extract import refuse_others
from rivulet.provenance.code import stage_code
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.report.schedules import write_schedules
from rivulet.stages.stage import Stage
from rivulet.workflow.settings import Compile


class Compiling(Stage[Compile]):
    """The compiled model, and a page with its schedules where it has any."""

    name = "compile"

    @property
    def model(self) -> str:
        """Name of the model."""
        return self["model"]

    @property
    def log(self) -> Path | None:
        """Folder of the log; None for a model without schedules."""
        return None

    @property
    def kernels(self) -> Path:
        """Table of the model's kernels."""
        return self.path(f"{paths.KERNELS}.csv", model=self.model)

    def inputs(self) -> list[Path]:
        """The exported model, and the log or the kernels, without which none is compiled."""
        behind = self.kernels.with_suffix(".json") if self.log is None else self.log / paths.RECORD
        return [self.path(f"{paths.MODEL}.json", model=self.model), behind]

    def work(self, job: Job) -> None:
        """Compile it."""
        target, log = resolve_target(self.device), None
        library = self.output(".so")
        if self.log is not None:
            log = open_thinned(read_log(self.log), job.scratch / "best", logger=job.logger)
        job.tell("compiling")
        with job.device("cpu", shared=True):
            model = prepare_model(self.path(f"{paths.MODEL}.onnx", model=self.model), target)
            if log is not None:
                with self.kernels.open(newline="") as stream:
                    searched = [row["workload"] for row in csv.DictReader(stream)]
                refuse_others(model.module, searched, self.kernels)
            compile_model(model, target, log, library, linker=self.device.linker)
        outputs = [library]
        if self.log is not None:
            subject = self.subject()
            title = f"{subject.get('name') or self.model}, {subject['what']}"
            outputs.append(library.with_suffix(".html"))
            write_schedules(title, self.log, self.kernels, outputs[-1])
        facts = {
            "code": stage_code("compile"),
            "target": str(target),
            "bytes": library.stat().st_size,
        }
        self.write_record(outputs, facts)


class CompileTuned(Compiling):
    """Of a log of the model's own."""

    about = "Compile a model, each kernel with its best schedule of a log."
    keys = ("own_log", "model", "hardware", "trials")
    words: ClassVar[Mapping[str, str]] = {"own_log": "what"}
    made = paths.COMPILED

    @property
    def log(self) -> Path:
        """Folder of the log."""
        return self.path(paths.OWN_LOG)


STAGE = CompileTuned
