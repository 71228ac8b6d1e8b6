#!/usr/bin/env python3
"""Collect the tables of all pairs into one.

Inputs: the pairs' tables and records.
Outputs: the table and its record.
"""

import os
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.table import collect_tables
from rivulet.config.load import validate_config
from rivulet.errors import UserError
from rivulet.jobs.cli import Command, json_argument
from rivulet.provenance import read_record, write_record
from rivulet.provenance.machines import machines_of, refuse_other_names, refuse_two_machines
from rivulet.workflow.report_files import report_files


def collect(job, options):
    """Collect all tables."""
    tables = options.tables or tables_of(options.configuration)
    read = [table.with_suffix(".json") for table in tables]
    found = {path: read_record(path) for path in read}
    refuse_other_names(found, {path: path.parents[2].name for path in read})
    refuse_two_machines(machines_of(found))
    count = collect_tables(tables, options.table)
    job.tell(f"{count} rows of {len(tables)} pairs in {options.table}")
    write_record(
        options.record, "collect", options.subject, options.settings, read, [options.table]
    )


def tables_of(configuration):
    """The tables of all pairs of a configuration; more than a command line can name."""
    if configuration is None:
        raise UserError("neither --tables nor --configuration says what to collect")
    files = report_files(validate_config(configuration))
    return [Path(path) for path in files.pair_tables]


def main():
    """Run the command line."""
    command = Command("Collect the benchmark tables of all pairs into one.", "collect")
    command.add("--tables", type=Path, nargs="*", default=[], help="tables of some pairs, CSV")
    command.add(
        "--configuration", type=json_argument, default=os.environ.get("RIVULET_CONFIG", "null"),
        help="configuration, as JSON, all of whose pairs are collected where no tables are named",
    )  # fmt: skip
    command.add("--table", type=Path, required=True, help="table to write")
    return command.run(collect)


if __name__ == "__main__":
    raise SystemExit(main())
