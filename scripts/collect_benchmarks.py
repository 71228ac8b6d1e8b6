#!/usr/bin/env python3
"""Collect the tables of all pairs into one.

Inputs: the pairs' tables and records.
Outputs: the table and its record.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.table import collect_tables
from rivulet.jobs.cli import Command
from rivulet.provenance import read_record, write_record
from rivulet.provenance.machines import machines_of, refuse_other_names, refuse_two_machines


def collect(job, options):
    """Collect all tables."""
    read = [table.with_suffix(".json") for table in options.tables]
    found = {path: read_record(path) for path in read}
    refuse_other_names(found, {path: path.parents[2].name for path in read})
    refuse_two_machines(machines_of(found))
    count = collect_tables(options.tables, options.table)
    job.tell(f"{count} rows of {len(options.tables)} pairs in {options.table}")
    write_record(
        options.record, "collect", options.subject, options.settings, read, [options.table]
    )


def main():
    """Run the command line."""
    command = Command("Collect the benchmark tables of all pairs into one.", "collect")
    command.add("--tables", type=Path, nargs="*", default=[], help="tables of the pairs, CSV")
    command.add("--table", type=Path, required=True, help="table to write")
    return command.run(collect)


if __name__ == "__main__":
    raise SystemExit(main())
