#!/usr/bin/env python3
"""Write the report.

Inputs: the collected table, and the records, candidates and kernel tables behind it.
Outputs: one HTML page and its record.
"""

import json
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.jobs.cli import Command
from rivulet.provenance import write_record
from rivulet.provenance.checkout import commit
from rivulet.report.inputs import ReportInputs
from rivulet.report.page import build_report


def report(job, options):
    """Write the page."""
    inputs = ReportInputs(
        benchmarks=options.benchmarks,
        pair_records=options.pair_records,
        candidates=options.candidates,
        kernels=options.kernels,
        histories=options.histories,
        rankings=options.rankings,
        config_json=json.dumps(options.settings["config"], indent=1),
        commit=commit(),
        gains=options.droplet_gains,
        effects=options.droplet_effects,
        kernel_tables=options.kernel_tables,
        rooflines=options.rooflines,
    )
    options.page.write_text(build_report(inputs), encoding="utf-8")
    job.tell(f"{options.page} ({options.page.stat().st_size // 1024} KiB)")
    read = [
        options.benchmarks.with_suffix(".json"),
        *options.pair_records,
        *options.candidates,
        *options.kernels,
        *options.histories,
        *(path.with_suffix(".json") for path in options.rankings),
        *(path.with_suffix(".json") for path in options.droplet_gains),
        *(path.with_suffix(".json") for path in options.droplet_effects),
        *(path.with_suffix(".json") for path in options.rooflines),
    ]
    write_record(options.record, "report", options.subject, options.settings, read, [options.page])


def main():
    """Run the command line."""
    command = Command("Write the report as one self-contained HTML page.", "report")
    command.add("--benchmarks", type=Path, required=True, help="collected table, CSV")
    command.add("--pair-records", type=Path, nargs="*", default=[], help="records of the pairs")
    command.add("--kernel-tables", type=Path, nargs="*", default=[], help="kernels of the pairs")
    command.add("--rooflines", type=Path, nargs="*", default=[], help="rooflines of the machines")
    command.add("--candidates", type=Path, nargs="*", default=[], help="candidates of transfers")
    command.add("--kernels", type=Path, nargs="*", default=[], help="kernel tables")
    command.add("--histories", type=Path, nargs="*", default=[], help="trials.csv of all searches")
    command.add("--rankings", type=Path, nargs="*", default=[], help="rankings of sources")
    command.add("--droplet-gains", type=Path, nargs="*", default=[], help="gains of droplet")
    command.add("--droplet-effects", type=Path, nargs="*", default=[], help="effects of droplet")
    command.add("--page", type=Path, required=True, help="HTML file to write")
    return command.run(report)


if __name__ == "__main__":
    raise SystemExit(main())
