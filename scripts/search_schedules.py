#!/usr/bin/env python3
"""Search schedules for all kernels of a model.

Inputs: the model's workloads and their record.
Outputs: the log (database and trials.csv) and its record. The log grows in a journal, from which
an interrupted search goes on.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import (
    completed_facts,
    journal_folder,
    mark_complete,
    other_journals,
    publish,
)
from rivulet.records.summary import log_facts
from rivulet.search import search_model
from rivulet.search.search import budget_warning


def search(job, options):
    """Search one model."""
    settings = options.settings
    device = configured_device(settings)
    folder = journal_folder(options.journal, settings, [options.kernels_record])
    for other in other_journals(folder):
        job.logger.info("an earlier log, made under other conditions, is kept in %s", other)
    facts = completed_facts(folder)
    if facts is None:
        facts = measure(job, options, device, folder)
        mark_complete(folder, facts)
    else:
        job.tell(f"complete already, taken from {folder}")
    outputs = publish(folder, options.out)
    write_record(
        options.record, "search", options.subject, settings, [options.kernels_record], outputs,
        {**facts, "journal": str(folder)},
    )  # fmt: skip


def measure(job, options, device, folder):
    """Run the search, or what is left of it, and return the log's facts."""
    settings = options.settings
    measuring = {**settings["measure"], **options.execution}
    with job.device("cpu"):
        target = resolve_target(device)
        kernels = load_kernels(options.workloads)
        warning = budget_warning(settings["trials"], len(kernels))
        if warning:
            job.tell(warning)
        log = TuningLog.resume(folder, job.logger)
        progress = job.progress(settings["trials"], "trials", len(log.trials))
        progress.update(len(log.trials), f"{len(kernels)} kernels")
        with Bench(target, device.threads, measuring, job.scratch) as bench:
            search_model(
                kernels, target, settings["trials"], settings["search"], device.threads, log,
                bench, progress.update, job.logger, settings["space"],
            )  # fmt: skip
    facts = log_facts(kernels, log, "evolutionary")
    return {**facts, "code": stage_code("search")}


def main():
    """Run the command line."""
    command = Command("Search schedules with MetaSchedule's evolutionary search.", "search")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--journal", type=Path, required=True, help="folder of this log's journals")
    command.add("--out", type=Path, required=True, help="folder of the finished log")
    command.add_execution()
    return command.run(search)


if __name__ == "__main__":
    raise SystemExit(main())
