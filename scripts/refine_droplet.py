#!/usr/bin/env python3
"""Refine the best schedules of a log by droplet search.

Inputs: the model's workloads, the source log, and their records.
Outputs: the log with droplet (database and trials.csv), what each kernel gained (gains.csv), the
way there (moves.csv), and their record.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.droplet import DropletSearch, DropletSettings, read_source
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.moves import MOVES, write_moves
from rivulet.droplet.settle import GainRow, kernels_without_start, settle_all
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.models.precision import allowed_error
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, publish
from rivulet.records.log import TRIALS
from rivulet.records.stored import read_log
from rivulet.records.summary import stored_log_facts
from rivulet.tables import write_table
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import model_weight_bytes

GAINS = "gains.csv"
_CONDITIONS = ("measure", "fingerprint", "tvm")


def refine(job, options):
    """Refine one model's log, or finish what was begun."""
    inputs = [options.kernels_record, options.source_record]
    folder = journal_folder(options.journal, options.settings, inputs)
    facts = completed_facts(folder)
    if facts is None:
        facts = measure(job, options, folder)
        mark_complete(folder, facts)
    else:
        job.tell(f"complete already, taken from {folder}")
    outputs = publish(folder / "combined", options.out)
    for name in (GAINS, MOVES):
        shutil.copyfile(folder / name, options.out / name)
        outputs.append(options.out / name)
    write_record(
        options.record, "droplet", options.subject, options.settings,
        [*inputs, *options.machine], outputs, {**facts, "journal": str(folder)},
    )  # fmt: skip


def measure(job, options, folder):
    """Run the descents, or what is left of them, and return the log's facts."""
    settings = DropletSettings(**options.settings["droplet"])
    device = configured_device(options.settings)
    measuring = {**options.settings["measure"], **options.execution}
    with job.measuring(device):
        load_tvm(device.threads)  # before anything else does, with another number of threads
        target = resolve_target(device)
        kernels = load_kernels(options.workloads)
        told = options.settings.get("benchmark", {})
        facts = read_record(options.kernels_record).facts
        settings = replace(settings, tolerance=allowed_error(settings.tolerance, told, facts))
        walk = TuningLog.resume(folder, job.logger)
        done = sum(trial.strategy == "droplet" for trial in walk.trials)
        progress = job.progress(settings.trials, "trials", done)
        progress.update(done, f"{len(kernels)} kernels")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        with Bench(
            target, device.threads, measuring, job.scratch, weights, True, device.location
        ) as bench:
            source = read_source(
                options.source, kernels, job.scratch, comparable(options), job.logger,
                options.more_schedules,
            )  # fmt: skip
            session = Session(
                kernels, target=target, threads=device.threads, log=walk, bench=bench,
                logger=job.logger, report=progress.update,
            )  # fmt: skip
            strategy = DropletSearch(settings, source)
            tune(strategy, session, TrialBudget(settings.trials))
            started = time.monotonic()
            settled = settle_all(strategy.descents, settings, bench, job.tell, job.logger)
            settling = time.monotonic() - started
    combine_logs(
        settled, target, options.source, folder / TRIALS, job.scratch, folder / "combined",
        job.logger,
    )  # fmt: skip
    write_moves(strategy.descents, folder / MOVES)
    write_table(GainRow, [one.row for one in settled], folder / GAINS)
    return describe(job, kernels, folder, settled, settling)


def describe(job, kernels, folder, settled, settling):
    """Facts of the finished log, and a line on it."""
    facts = stored_log_facts(kernels, read_log(folder / "combined"), "droplet")
    gained = sum(one.row.taken == "yes" for one in settled)
    optimal = sum(one.row.ended == "local optimum" for one in settled)
    for remark in kernels_without_start(settled):
        job.tell(remark)
    job.tell(f"{gained} of {len(kernels)} kernels got faster; {optimal} came to a local optimum")
    return {
        **facts,
        # The last comparison is part of what it takes to know the schedules.
        "search_seconds": round(facts["search_seconds"] + settling, 3),
        "kernels_improved": gained,
        "local_optima": optimal,
        "code": stage_code("droplet"),
    }


def comparable(options):
    """Were the source's candidates timed as they are now?"""
    made = read_record(options.source_record).settings
    return all(made.get(key) == options.settings.get(key) for key in _CONDITIONS)


def main():
    """Run the command line."""
    command = Command("Refine the best schedules of a log by coordinate descent.", "droplet")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--source", type=Path, required=True, help="folder of the log to refine")
    command.add("--source-record", type=Path, required=True, help="record of that log")
    command.add(
        "--more-schedules", type=Path, nargs="*", default=[],
        help="folders of logs of the same model with further schedules to begin from",
    )  # fmt: skip
    command.add("--journal", type=Path, required=True, help="folder of this log's journals")
    command.add("--out", type=Path, required=True, help="folder of the finished log")
    command.add_execution()
    return command.run(refine)


if __name__ == "__main__":
    raise SystemExit(main())
