"""Make a report of what is there of a run that goes on or was interrupted.

Reads the results as they are, marks what is missing and what is out of date, and writes
results/report-unfinished.html; the workflow's own report is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rivulet.benchmark.table import MethodRow, collect_tables
from rivulet.cli.options import described
from rivulet.config.load import load_config
from rivulet.config.model import Config
from rivulet.errors import UserError
from rivulet.provenance import read_record
from rivulet.provenance.checkout import commit
from rivulet.provenance.reconcile import staleness
from rivulet.report.page import build_report
from rivulet.tables import has_columns
from rivulet.workflow.plan import Plan
from rivulet.workflow.planning import expected_settings
from rivulet.workflow.report_files import ReportFiles, report_files

TABLE = Path("results/benchmarks-unfinished.csv")
PAGE = Path("results/report-unfinished.html")


def stale_files(config: Config, files: ReportFiles) -> dict[str, str]:
    """Each artefact that is out of date, and why."""
    found: dict[str, str] = {}
    plan = Plan(config)
    for path in files.all():
        table = Path(path)
        beside = table.parent.parent / table.name  # a pair's kernels lie one folder below its table
        places = (
            table.with_suffix(".json"), table.parent / "log.json", beside.with_suffix(".json"),
        )  # fmt: skip
        record = next((place for place in places if place.exists()), None)
        if record is None:
            continue
        try:
            one = read_record(record)
        except UserError as error:
            found[path] = str(error)
            continue
        wanted = expected_settings(plan, one)
        reason = staleness(one, wanted) if wanted is not None else None
        if reason:
            found[path] = reason
    return found


def write_report(config: Config) -> tuple[int, int, int]:
    """Write the page; returns how many artefacts are there, missing and out of date."""
    whole = report_files(config)
    there = whole.present()
    missing = sorted(set(whole.all()) - set(there.all()))
    TABLE.parent.mkdir(exist_ok=True)
    stale = stale_files(config, there)
    tables = [Path(path) for path in there.pair_tables]
    other = [path for path in tables if not has_columns(MethodRow, path)]
    stale |= {str(path): "a table of another form, left out here" for path in other}
    collect_tables([path for path in tables if path not in other], TABLE)

    inputs = replace(there.inputs(TABLE, config, commit()), missing=missing, stale=stale)
    PAGE.write_text(build_report(inputs), encoding="utf-8")
    return len(there.all()), len(missing), len(stale)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("report", __doc__)
    parser.add_argument(
        "--configfile", type=Path, default=Path("config/config.yaml"),
        help="configuration of the run (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    there, missing, stale = write_report(load_config(options.configfile))
    print(f"{PAGE}: {there} artefacts are there, {missing} missing, {stale} out of date")
    return 0
