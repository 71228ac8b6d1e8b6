#!/usr/bin/env python3
"""Search schedules for all kernels of a model.

Inputs: the model's workloads and their record.
Outputs: the log (database and trials.csv) and its record. The log grows in a journal that all
trial counts share: what is there already is not measured again.
"""

import os
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.errors import UserError
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device, json_argument
from rivulet.kernels import load_kernels
from rivulet.measure.bench import Bench
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.chain import (
    chain_folder,
    measuring_code,
    milestone_facts,
    remember_milestone,
)
from rivulet.records.journal import journal_folder, other_journals
from rivulet.records.prefix import drop_unrecorded, write_prefix
from rivulet.records.summary import log_facts
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.tuning import Session, TrialBudget, tune
from rivulet.tuning.scheduler import first_round_size
from rivulet.tvm_compat.arguments import model_weight_bytes
from rivulet.workflow.budgets import budget_warning


def search(job, options):
    """Search one model, or go on with its search, up to the number of trials asked for."""
    settings = options.settings
    trials = settings["trials"]
    device = configured_device(settings)
    shared = {key: value for key, value in settings.items() if key != "trials"}
    journal = journal_folder(options.journal, shared, [options.kernels_record])
    for other in other_journals(journal):
        job.logger.info("an earlier log, made under other conditions, is kept in %s", other)
    milestones = milestones_up_to(options.milestones, trials)
    own, planned = first_rounds(options, milestones)
    folder, first_round = chain_folder(journal, own, planned)
    with job.alone(folder, f"the log in {folder}"):
        done = len(drop_unrecorded(folder, job.logger))
        facts = milestone_facts(folder, trials)
        if facts is not None and done >= facts["trials_measured"]:
            job.tell(f"complete already, taken from {folder}")
        else:
            if done < trials:
                facts = measure(job, options, device, folder, milestones, first_round)
            else:
                facts = summarise(job, options, folder)
            remember_milestone(folder, trials, facts)
        outputs = write_prefix(folder, options.out, trials)
    write_record(
        options.record, "search", options.subject, settings,
        [options.kernels_record, *options.machine], outputs, {**facts, "journal": str(folder)},
    )  # fmt: skip


def milestones_up_to(configured, trials):
    """The trial counts at which the log is published, up to this job's own."""
    return sorted({trials, *(number for number in configured if number <= trials)})


def first_rounds(options, milestones):
    """Sizes of first rounds that suit this job's trial count, and the smallest milestone."""
    try:
        kernels = int(read_record(options.kernels_record).facts["kernels"])
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{options.kernels_record}: the number of kernels is missing; delete the file, and "
            "the workflow makes it again"
        ) from error
    batch = options.settings["search"]["batch_size"]
    return [first_round_size(n, kernels, batch) for n in (milestones[-1], milestones[0])]


def measure(job, options, device, folder, milestones, first_round):
    """Run the search, or what is left of it, and return the log's facts."""
    settings = options.settings
    measuring = {**settings["measure"], **options.execution}
    with job.measuring(device):
        target = resolve_target(device)
        kernels = load_kernels(options.workloads)
        warning = budget_warning(settings["trials"], len(kernels))
        if warning:
            job.tell(warning)
        log = TuningLog.resume(folder, job.logger)
        progress = job.progress(settings["trials"], "trials", len(log.trials))
        progress.update(len(log.trials), f"{len(kernels)} kernels")
        weights = model_weight_bytes((k.module, k.weight) for k in kernels)
        with Bench(
            target, device.threads, measuring, job.scratch, weights, location=device.location
        ) as bench:
            session = Session(
                kernels, target=target, threads=device.threads, log=log, bench=bench,
                logger=job.logger, report=progress.update,
            )  # fmt: skip
            strategy = EvolutionarySearch(
                SearchSettings(**settings["search"]), first_round=first_round,
                space=settings["space"],
            )  # fmt: skip
            tune(strategy, session, TrialBudget(settings["trials"], milestones))
        for remark in strategy.remarks():
            job.tell(remark)
        return {**log_facts(kernels, log, "evolutionary"), "code": stage_code("search")}


def summarise(job, options, folder):
    """Facts of the log as it was when it had no more trials than are asked for."""
    trials = options.settings["trials"]
    job.tell(f"the first {trials} trials of a longer search, taken from {folder}")
    write_prefix(folder, job.scratch / "prefix", trials)
    # Reading a large log takes the processor for long enough to disturb a measurement.
    with job.device("cpu", shared=True):
        log = TuningLog(job.scratch / "prefix", job.logger)
        facts = log_facts(load_kernels(options.workloads), log, "evolutionary")
    return {**facts, "code": measuring_code(folder, trials, stage_code("search"))}


def main():
    """Run the command line."""
    command = Command("Search schedules with MetaSchedule's evolutionary search.", "search")
    command.add("--workloads", type=Path, required=True, help="the model's workloads")
    command.add("--kernels-record", type=Path, required=True, help="record of the kernels")
    command.add("--journal", type=Path, required=True, help="folder of this model's journals")
    command.add("--out", type=Path, required=True, help="folder of the finished log")
    command.add(
        "--milestones", type=json_argument, default=os.environ.get("RIVULET_MILESTONES", "[]"),
        help="all trial counts that are wanted of this model, as a JSON list",
    )  # fmt: skip
    command.add_execution()
    return command.run(search)


if __name__ == "__main__":
    raise SystemExit(main())
