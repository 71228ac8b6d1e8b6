#!/usr/bin/env python3
"""Search a model with Ansor's search, started from what a transfer to it has measured.

Inputs: the model's workloads, the log of candidates that the pool's transfer measured, and their
records.
Outputs: the log (database and trials.csv) and its record.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, publish
from rivulet.records.summary import log_facts
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.search.warm_start import begin_from
from rivulet.transfer.table import read_candidates
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tvm_compat.arguments import model_weight_bytes


def search(job, options):
    """Search one model, or go on with its search."""
    inputs = [options.kernels_record, options.start_record]
    folder = journal_folder(options.journal, options.settings, inputs)
    facts = completed_facts(folder)
    if facts is None:
        facts = measure(job, options, folder)
        mark_complete(folder, facts)
    else:
        job.tell(f"complete already, taken from {folder}")
    outputs = publish(folder, options.out)
    write_record(
        options.record, "warm", options.subject, options.settings,
        [*inputs, *options.machine], outputs, {**facts, "journal": str(folder)},
    )  # fmt: skip


def measure(job, options, folder):
    """Run the search, or what is left of it, and return the log's facts."""
    settings = options.settings
    device = configured_device(settings)
    more = max(1, round(settings["warm_start"]["share"] * settings["trials"]))
    measuring = {**settings["measure"], **options.execution}
    with job.measuring(device):
        target = resolve_target(device)
        kernels = load_kernels(options.workloads)
        wrong = {
            (row["kernel"], row["candidate"])
            for row in read_candidates(options.candidates)
            if row["correct"] == "no"
        }
        begin_from(options.start, folder, wrong)
        log = TuningLog(folder, job.logger)
        started_from = sum(trial.strategy == "transfer" for trial in log.trials)
        trials = started_from + more
        progress = job.progress(trials, "trials", len(log.trials))
        progress.update(len(log.trials), f"{started_from} transferred candidates to start from")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        with Bench(
            target, device.threads, measuring, job.scratch, weights, location=device.location
        ) as bench:
            session = Session(
                kernels, target=target, threads=device.threads, log=log, bench=bench,
                logger=job.logger, report=progress.update,
            )  # fmt: skip
            strategy = EvolutionarySearch(
                SearchSettings(**settings["search"]), space=settings["space"]
            )
            tune(strategy, session, TrialBudget(trials))
        for remark in strategy.remarks():
            job.tell(remark)
        facts = log_facts(kernels, log, "evolutionary")
    return {
        **facts,
        "trials_measured": len(log.trials),
        "trials_failed": sum(bool(trial.error) for trial in log.trials),
        "trials_transferred": started_from,
        "source_search_seconds": read_record(options.start_record).facts["source_search_seconds"],
        "code": stage_code("warm"),
    }


def main():
    """Run the command line."""
    command = Command("Search schedules, started from transferred ones.", "warm")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--start", type=Path, required=True, help="folder of the log to start from")
    command.add("--candidates", type=Path, required=True, help="the transfer's candidates.csv")
    command.add("--start-record", type=Path, required=True, help="record of the transfer")
    command.add("--journal", type=Path, required=True, help="folder of this model's journals")
    command.add("--out", type=Path, required=True, help="folder of the finished log")
    command.add_execution()
    return command.run(search)


if __name__ == "__main__":
    raise SystemExit(main())
