#!/usr/bin/env python3
"""Measure what the machine can do at most: operations and memory traffic per second.

Inputs: the file that tells the format.
Outputs: one row per roof, and their record.
"""

import os
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.hardware.conduct import conduct_between, read_counters
from rivulet.hardware.fingerprint import environment
from rivulet.hardware.open_place import at_place
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.measure.roofline import RoofRow, measure_roofline
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.tables import write_table
from rivulet.tvm_compat import load_tvm

REPEATS = 25


def measure(job, options):
    """Measure one machine."""
    device = configured_device(options.settings)
    with job.measuring(device):
        load_tvm(device.threads)
        state = environment(device)
        cpus = sorted(os.sched_getaffinity(0))
        before = read_counters(cpus)
        rows = at_place(
            device.location,
            lambda place: measure_roofline(
                resolve_target(device), device.threads, REPEATS, lambda _, text: job.tell(text),
                place,
            ),
        )  # fmt: skip
        conduct = conduct_between(before, read_counters(cpus), len(cpus))
    for complaint in conduct.complaints if device.is_here else ():
        job.tell(f"read with care: {complaint} meanwhile")
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_table(RoofRow, rows, options.table)
    facts = {"environment": state, "code": stage_code("roofline")}
    if device.is_here:
        facts["conduct"] = conduct.facts()
    inputs = [options.format_file, *options.machine]
    write_record(
        options.record, "roofline", options.subject, options.settings, inputs, [options.table],
        facts,
    )  # fmt: skip


def main():
    """Run the command line."""
    command = Command("Measure the machine's peak operations and memory traffic.", "roofline")
    command.add(
        "--format-file", type=Path, required=True, help="file that tells the rooflines' format"
    )
    command.add("--table", type=Path, required=True, help="CSV to write")
    return command.run(measure)


if __name__ == "__main__":
    raise SystemExit(main())
