#!/usr/bin/env python3
"""Refine the best schedules of a log by droplet search.

Inputs: the model's workloads, the source log, and their records.
Outputs: the log with droplet (database and trials.csv) and its record.
"""

import time
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.droplet import DropletSettings, refine_model
from rivulet.droplet.combine import combine_logs
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, publish
from rivulet.records.summary import log_facts
from rivulet.tvm_compat.arguments import model_weight_bytes


def refine(job, options):
    """Refine one model's log."""
    settings = options.settings
    device = configured_device(settings)
    inputs = [options.kernels_record, options.source_record]
    folder = journal_folder(options.journal, settings, inputs)
    combined = folder / "combined"
    facts = completed_facts(folder)
    if facts is None:
        facts = measure(job, options, device, folder, combined)
        mark_complete(folder, facts)
    else:
        job.tell(f"complete already, taken from {folder}")
    outputs = publish(combined, options.out)
    write_record(
        options.record, "droplet", options.subject, settings, inputs, outputs,
        {**facts, "journal": str(folder)},
    )  # fmt: skip


def measure(job, options, device, folder, combined):
    """Run the descent, or what is left of it, and return the log's facts."""
    settings = DropletSettings(**options.settings["droplet"])
    measuring = {**options.settings["measure"], **options.execution}
    with job.device("cpu"):
        target = resolve_target(device)
        kernels = load_kernels(options.workloads)
        source, walk = TuningLog(options.source, job.logger), TuningLog(folder, job.logger)
        progress = job.progress(
            settings.trials, "trials", sum(t.strategy == "droplet" for t in walk.trials)
        )
        progress.update(0, f"{len(kernels)} kernels")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        with Bench(target, device.threads, measuring, job.scratch, weights) as bench:
            refine_model(
                kernels, target, settings, source, walk, bench, progress.update, job.logger
            )
            for path in combined.glob("*"):
                path.unlink()  # of an earlier attempt that was cut off here
            final = TuningLog(combined, job.logger)
            started = time.monotonic()
            gained = combine_logs(
                kernels, target, settings, source, walk, final, bench,
                lambda text: job.tell(f"{text}"), job.logger,
            )  # fmt: skip
            comparing = time.monotonic() - started
        facts = log_facts(kernels, TuningLog(combined), "droplet")
        facts["search_seconds"] = round(facts["search_seconds"] + comparing, 3)
    job.tell(f"{gained} of {len(kernels)} kernels got faster")
    code = stage_code("droplet")
    return {**facts, "kernels_improved": gained, "code": code}


def main():
    """Run the command line."""
    command = Command("Refine the best schedules of a log by coordinate descent.", "droplet")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--source", type=Path, required=True, help="folder of the log to refine")
    command.add("--source-record", type=Path, required=True, help="record of that log")
    command.add("--journal", type=Path, required=True, help="folder of this log's journals")
    command.add("--out", type=Path, required=True, help="folder of the finished log")
    command.add_execution()
    return command.run(refine)


if __name__ == "__main__":
    raise SystemExit(main())
