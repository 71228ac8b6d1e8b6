#!/usr/bin/env python3
"""Collect what was measured of droplet search on one hardware.

Inputs: tables of the models' gains, or of the pairs' effects, and their records.
Outputs: one table, its record, and of gains a figure.
"""

import csv
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.droplet.study import GainRow
from rivulet.jobs.cli import Command
from rivulet.provenance import write_record
from rivulet.report.droplet_chart import gain_chart
from rivulet.tables import read_table


def collect(job, options):
    """Collect all tables."""
    rows = []
    for path in options.tables:
        with path.open(newline="") as stream:
            header, *body = csv.reader(stream)
        rows += body
    with options.table.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    outputs = [options.table]
    if options.figure is not None:
        title = f"What droplet search gains: {options.subject['hardware']}"
        options.figure.write_text(
            gain_chart(read_table(GainRow, options.table), title), encoding="utf-8"
        )
        outputs.append(options.figure)
    job.tell(f"{len(rows)} rows in {options.table}")
    records = [table.with_suffix(".json") for table in options.tables]
    write_record(
        options.record, "collect-droplet", options.subject, options.settings, records, outputs
    )


def main():
    """Run the command line."""
    command = Command("Collect what was measured of droplet search.", "collect")
    command.add("--tables", type=Path, nargs="+", required=True, help="tables, CSV")
    command.add("--table", type=Path, required=True, help="table to write")
    command.add("--figure", type=Path, help="SVG to write, of tables of gains")
    return command.run(collect)


if __name__ == "__main__":
    raise SystemExit(main())
