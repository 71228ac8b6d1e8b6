"""Measure what the machine can do at most: operations and memory traffic per second."""

from __future__ import annotations

import os
from pathlib import Path

from rivulet import paths
from rivulet.hardware.conduct import conduct_between, read_counters
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.open_place import at_place
from rivulet.hardware.target import resolve_target
from rivulet.jobs.job import Job
from rivulet.measure.roofline import RoofRow, measure_roofline
from rivulet.provenance.checkout import file_of_checkout
from rivulet.provenance.code import stage_code
from rivulet.stages.stage import Stage
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm
from rivulet.workflow.settings import OnHardware

_REPEATS = 25


class MeasureRoofline(Stage[OnHardware]):
    """One row per roof."""

    name = "roofline"
    about = "Measure the machine's peak operations and memory traffic."
    keys = ("hardware",)
    made = paths.ROOFLINE

    def inputs(self) -> list[Path]:
        """The file that tells the format."""
        return [file_of_checkout("rules/roofline_format.txt")]

    def work(self, job: Job) -> None:
        """Measure one machine."""
        device = self.device
        with job.measuring(device):
            load_tvm(device.threads)
            state = environment(device)
            cpus = sorted(os.sched_getaffinity(0))
            before = read_counters(cpus)
            rows = at_place(
                device.location,
                lambda place: measure_roofline(
                    resolve_target(device), device.threads, _REPEATS,
                    lambda _, text: job.tell(text), place=place,
                ),
            )  # fmt: skip
            conduct = conduct_between(before, read_counters(cpus), len(cpus))
        for complaint in conduct.complaints if device.is_here else ():
            job.tell(f"read with care: {complaint} meanwhile")
        table = self.output(".csv")
        write_table(RoofRow, rows, table)
        facts = {"environment": state, "code": stage_code("roofline")}
        if device.is_here:
            facts["conduct"] = conduct.facts()
        self.write_record([table], facts)


STAGE = MeasureRoofline
