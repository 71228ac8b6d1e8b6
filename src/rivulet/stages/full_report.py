"""Write the report of a finished run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from rivulet import paths
from rivulet.jobs.job import Job
from rivulet.provenance.checkout import commit
from rivulet.report.inputs import ReportInputs
from rivulet.report.page import build_report
from rivulet.stages.stage import Stage
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import Reporting


class FullReport(Stage[Reporting]):
    """One self-contained HTML page."""

    name = "report"
    about = "Write the report as one self-contained HTML page."
    keys = ()
    made = paths.REPORT

    @cached_property
    def shown(self) -> ReportInputs:
        """All that it shows."""
        table = self.path(f"{paths.BENCHMARKS}.csv")
        return report_files(self.plan.config).inputs(table, self.plan.config, commit())

    def inputs(self) -> list[Path]:
        """Records, candidates and tables of kernels behind the collected tables."""
        shown = self.shown
        tables = [shown.benchmarks, *shown.rankings, *shown.gains, *shown.effects]
        records = [path.with_suffix(".json") for path in (*tables, *shown.rooflines)]
        return [
            *records, *shown.pair_records, *shown.candidates, *shown.kernels, *shown.histories,
        ]  # fmt: skip

    def work(self, job: Job) -> None:
        """Write the page."""
        page = self.path(f"{paths.REPORT}.html")
        page.write_text(build_report(self.shown), encoding="utf-8")
        job.tell(f"{page} ({page.stat().st_size // 1024} KiB)")
        self.write_record([page])


STAGE = FullReport
