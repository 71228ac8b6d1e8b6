#!/usr/bin/env python3
"""Write the report.

Inputs: the collected table, and the records, candidates and kernel tables behind it, all below
results/, as the configuration among the settings names them.
Outputs: one HTML page and its record.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.config.load import validate_config
from rivulet.jobs.cli import Command
from rivulet.provenance import write_record
from rivulet.provenance.checkout import commit
from rivulet.report.page import build_report
from rivulet.workflow.report_files import report_files

BENCHMARKS = Path("results/benchmarks.csv")


def report(job, options):
    """Write the page."""
    config = validate_config(options.settings["config"])
    inputs = report_files(config).inputs(BENCHMARKS, config, commit())
    options.page.write_text(build_report(inputs), encoding="utf-8")
    job.tell(f"{options.page} ({options.page.stat().st_size // 1024} KiB)")
    tables = [inputs.benchmarks, *inputs.rankings, *inputs.gains, *inputs.effects]
    read = [path.with_suffix(".json") for path in (*tables, *inputs.rooflines)]
    read += [*inputs.pair_records, *inputs.candidates, *inputs.kernels, *inputs.histories]
    write_record(options.record, "report", options.subject, options.settings, read, [options.page])


def main():
    """Run the command line."""
    command = Command("Write the report as one self-contained HTML page.", "report")
    command.add("--page", type=Path, required=True, help="HTML file to write")
    return command.run(report)


if __name__ == "__main__":
    raise SystemExit(main())
