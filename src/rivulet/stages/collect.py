"""Collect the tables of all pairs into one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from rivulet import paths
from rivulet.benchmark.table import collect_tables
from rivulet.jobs.job import Job
from rivulet.provenance import read_record
from rivulet.provenance.machines import machines_of, refuse_other_names, refuse_two_machines
from rivulet.stages.stage import Stage
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import Collecting


class CollectBenchmarks(Stage[Collecting]):
    """The table of all pairs of the config."""

    name = "collect"
    about = "Collect the benchmark tables of all pairs into one."
    keys = ()
    made = paths.BENCHMARKS

    @cached_property
    def tables(self) -> list[Path]:
        """The pairs' tables."""
        return [Path(path) for path in report_files(self.plan.config).pair_tables]

    def inputs(self) -> list[Path]:
        """Their records."""
        return [table.with_suffix(".json") for table in self.tables]

    def work(self, job: Job) -> None:
        """Collect them, unless they are of machines that one name stands for."""
        found = {path: read_record(path) for path in self.inputs()}
        refuse_other_names(found, {path: path.parents[2].name for path in found})
        refuse_two_machines(machines_of(found))
        table = self.path(f"{paths.BENCHMARKS}.csv")
        count = collect_tables(self.tables, table)
        job.tell(f"{count} rows of {len(self.tables)} pairs in {table}")
        self.write_record([table])


STAGE = CollectBenchmarks
