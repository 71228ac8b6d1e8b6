#!/usr/bin/env python3
"""Transfer the schedules of one or more sources to a target model.

Inputs: the target's workloads, the sources' logs and workloads, and their records.
Outputs: the target's log of transferred schedules, a log of all that were measured,
candidates.csv, and their record.
"""

import argparse
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.in_place import prove_in_place
from rivulet.benchmark.untuned import Subject, look_at_untuned
from rivulet.errors import UserError
from rivulet.figures import milliseconds
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.open_place import at_place
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.jobs.progress import duration
from rivulet.kernels import load_kernels
from rivulet.kernels.extract import refuse_others
from rivulet.kernels.kernel import covered_flops
from rivulet.kernels.naming import short_name
from rivulet.measure.bench import Bench
from rivulet.measure.statistics import median
from rivulet.models.precision import allowed_error
from rivulet.provenance import read_record, write_record
from rivulet.provenance.behind import library_of
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, publish
from rivulet.records.stored import read_log
from rivulet.report.schedules import write_schedules
from rivulet.transfer import TransferSettings, TransferTuning, load_source
from rivulet.transfer.remarks import remarks
from rivulet.transfer.sources import check_library, made_here
from rivulet.transfer.table import covered_kernels, write_candidates
from rivulet.tuning import Session, tune
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import model_weight_bytes

ATTEMPTS = 3  # with all schedules, with those that are right alone, with none
STARTED = time.time()  # loading TVM is part of what a transfer takes


def transfer(job, options):
    """Transfer to one target, or finish what was begun."""
    kernels_record = options.kernels / f"{options.target}.json"
    inputs = [
        options.model.with_suffix(".json"), options.untuned_record, kernels_record,
        *(options.kernels / f"{name}.json" for name in models_of(options)),
        *source_records(options), *library_files(options),
    ]  # fmt: skip
    folder = journal_folder(options.journal, options.settings, inputs)
    facts = completed_facts(folder)
    if facts is None:
        facts = measure(job, options, folder)
        mark_complete(folder, facts)
    else:
        job.tell(f"complete already, taken from {folder}")
    options.library.parent.mkdir(parents=True, exist_ok=True)
    schedules = options.library.with_suffix(".html")
    shutil.copyfile(folder / "model.so", options.library)
    outputs = [
        *publish(folder / facts["taken"], options.out),
        *publish(folder / "measured", options.out / "measured"),
        options.out / "candidates.csv",
        options.out / "trials.csv",
        options.library,
        schedules,
    ]
    write_schedules(
        f"{options.subject['name']}, transfer from the {options.subject['log']} log", options.out,
        kernels_record.with_suffix(".csv"), schedules,
    )  # fmt: skip
    shutil.copyfile(folder / "candidates.csv", options.out / "candidates.csv")
    shutil.copyfile(options.out / "measured/trials.csv", options.out / "trials.csv")
    write_record(
        options.record, "transfer", options.subject, options.settings,
        [*inputs, *options.machine], list(dict.fromkeys(outputs)),
        {**facts, "journal": str(folder)},
    )  # fmt: skip


def measure(job, options, folder):
    """Run the transfer, or what is left of it, and return the log's facts."""
    settings = TransferSettings(**options.settings["transfer"])
    device = configured_device(options.settings)
    asked = time.time()
    with job.measuring(device):
        waited = time.time() - asked  # for another job's measurement
        load_tvm(device.threads)  # before anything else does, with another number of threads
        target = resolve_target(device)
        kernels = load_kernels(workloads_of(options, options.target))
        told, facts = options.settings.get("benchmark", {}), model_facts(options)
        settings = replace(settings, tolerance=allowed_error(settings.tolerance, told, facts))
        for pattern in ("chosen", "kept-*", "right-*"):
            for attempt in folder.glob(pattern):
                shutil.rmtree(attempt)  # cut off
        for library in folder.glob("model-*.so"):
            library.unlink()  # cut off
        progress = job.progress(len(kernels), "kernels")
        progress.update(0, "running the model as it is without schedules")
        subject = subject_of(options, device, kernels, target, settings)
        begun = time.monotonic()
        steps = {"start": time.time() - STARTED - waited}
        untuned = at_place(
            device.location,
            lambda place: look_at_untuned(
                replace(subject, place=place), library_of(options.untuned_record)
            ),
        )
        steps["without schedules"] = time.monotonic() - begun
        with open_bench(job, options, device, kernels, target) as bench:
            sources = read_sources(job, options, settings)
            measured = TuningLog.resume(folder / "measured", job.logger)
            chosen = TuningLog(folder / "chosen", job.logger)
            session = Session(
                kernels, target=target, threads=device.threads, log=measured, bench=bench,
                logger=job.logger, report=progress.update, since=begun,
            )  # fmt: skip
            strategy = TransferTuning(
                settings, sources, scratch=job.scratch, space=options.settings["space"],
                untuned=untuned.seconds,
            )  # fmt: skip
            tune(strategy, session)
            result = strategy.result
            result.record(chosen, target)
        searching = result.seconds - steps["without schedules"] - result.settling_seconds
        steps |= {"candidates": searching, "settling": result.settling_seconds}
        proven = prove(job, options, device, subject, settings, untuned, result, chosen, folder)
    write_candidates(result.rows, folder / "candidates.csv")
    steps |= proven.pop("steps")
    parts = ", ".join(f"{step} {duration(seconds)}" for step, seconds in steps.items())
    job.tell(f"took {duration(sum(steps.values()))}: {parts}")
    facts = describe(job, options, kernels, measured, result) | proven
    return facts | {"seconds_by_step": {step: round(s, 3) for step, s in steps.items()}}


def subject_of(options, device, kernels, target, settings):
    """The target model, as it is run whole."""
    model = prepare_model(options.model, target)
    found = workloads_of(options, options.target)
    refuse_others(model.module, (kernel.workload for kernel in kernels), found)
    return Subject(
        model, kernels,
        model_facts(options)["inputs"], target, settings.seed,
        settings.significance, settings.tolerance, options.model, device.threads,
        linker=device.linker,
    )  # fmt: skip


def model_facts(options):
    """What the record of the target's export says."""
    return read_record(options.model.with_suffix(".json")).facts


def open_bench(job, options, device, kernels, target):
    """A bench for the target's kernels."""
    weights = model_weight_bytes((k.module, k.weight) for k in kernels)
    measuring = {**options.settings["measure"], **options.execution}
    return Bench(target, device.threads, measuring, job.scratch, weights, True, device.location)


def prove(job, options, device, subject, settings, untuned, result, chosen, folder):
    """Check the whole model with the schedules, and time it; replace what is wrong or slower."""
    steps = {"compiling": 0.0, "proof": 0.0, "in place": 0.0}
    for attempt in range(ATTEMPTS):
        schedules = chosen

        def work(place, schedules=schedules):
            return prove_in_place(
                replace(subject, place=place), untuned,
                schedules, folder, folder / "model.so", say=job.tell, logger=job.logger,
            )  # fmt: skip

        found, kept = at_place(device.location, work)
        steps["compiling"] += found.compile_seconds
        steps["proof"] += found.proof_seconds
        steps["in place"] += found.timing_seconds
        if found.right:
            break
        if attempt == ATTEMPTS - 1:
            raise UserError(
                f"the model's output is wrong without any transferred schedule ({found.error:.1e}, "
                f"allowed by transfer.tolerance or the benchmark's: {settings.tolerance:g}); its "
                "default loops, or what they are compiled to, change from one run to the next"
            )
        begun = time.monotonic()
        chosen = mend(job, options, device, subject, settings, result, found.error, attempt, folder)
        steps["proof"] += time.monotonic() - begun
    result.is_right()
    for task in found.put_back:
        result.put_back(task)
    before, after = (milliseconds(median(ms)) for ms in (found.before_ms, found.after_ms))
    job.tell(f"the whole model: {before} without, {after} with what was taken")
    return {
        "taken": kept.folder.name,
        "output_error": found.error,
        "in_place_before_ms": found.before_ms,
        "in_place_after_ms": found.after_ms,
        "in_place_seconds": round(sum(steps.values()), 3),
        "put_back": found.put_back,
        "steps": steps,
    }


def mend(job, options, device, subject, settings, result, error, attempt, folder):
    """A log without the schedules that make the model's output wrong."""
    job.tell(f"the whole model's output is wrong ({error:.1e}); each kernel is checked alone")
    changed = []
    if not attempt:
        with open_bench(job, options, device, subject.kernels, subject.target) as bench:
            changed = result.replace_wrong(settings, bench, job.logger)
    log = TuningLog(folder / f"right-{attempt}", job.logger)
    if changed:
        job.tell(f"wrong, and replaced: {', '.join(short_name(task) for task in changed)}")
    else:
        job.tell("no kernel is wrong when it runs alone: all keep their default schedule")
        for kernel in subject.kernels:
            result.put_back(kernel.task, "the whole model is wrong, each kernel alone is right")
    result.record(log, subject.target)
    return log


def read_sources(job, options, settings):
    """Open the sources' logs, after checking those of the library."""
    library = options.settings.get("library", {})
    sources = []
    for name, folder in options.sources:
        timed = True
        if name in library:
            log = read_log(folder)
            timed = made_here(log, options.settings)
            remark = check_library(name, log, options.settings, library[name]["other_hardware"])
            if remark:
                job.tell(remark)
        kernels = [] if name in library else load_kernels(workloads_of(options, name))
        source = load_source(
            name, folder, kernels, job.scratch, settings.records_per_source_kernel, job.logger,
            timed,
        )  # fmt: skip
        if not source.kernels:
            job.tell(f"the log of {name} has no schedule; nothing can be taken from it")
        sources.append(source)
    return sources


def models_of(options):
    """The sources that are models of this workflow; the others are logs from elsewhere."""
    library = options.settings.get("library", {})
    return {name: folder for name, folder in options.sources if name not in library}


def library_files(options):
    """Databases of the sources that are logs from elsewhere."""
    elsewhere = [folder for name, folder in options.sources if name not in models_of(options)]
    return [folder / name for folder in elsewhere for name in (WORKLOADS, RECORDS)]


def source_records(options):
    """Records of the models' logs."""
    return [folder / "log.json" for folder in models_of(options).values()]


def workloads_of(options, model):
    """The workloads of a model, the target or a source."""
    return options.kernels / f"{model}.workloads.json.gz"


def named_folder(text):
    """An argument of the form NAME=FOLDER."""
    name, _, folder = text.partition("=")
    if not folder:
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=FOLDER")
    return name, Path(folder)


def describe(job, options, kernels, measured, result):
    """Facts of the finished transfer, and a line on it."""
    rows = [{key: str(value) for key, value in asdict(row).items()} for row in result.rows]
    covered = covered_kernels(rows)
    tried = [trial for trial in measured.trials if trial.strategy == "transfer"]
    facts = {
        "search_seconds": round(result.seconds, 3),
        "seconds_from_start": round(time.time() - STARTED, 3),
        "trials_measured": len(tried),
        "trials_failed": sum(bool(trial.error) for trial in tried),
        "kernels_total": len(kernels),
        "kernels_covered": len(covered),
        "flops_covered": round(covered_flops(kernels, covered), 6),
        "kernels_transferred": sum(r["chosen"] == "yes" and r["kind"] != "default" for r in rows),
        "kernel_latency_sum_ms": model_latency_ms(result.rows, len(kernels)),
        "source_search_seconds": all_source_seconds(options),
        "stopped": result.stopped,
        "code": stage_code("transfer"),
    }
    for remark in remarks(result.cases, measured.trials):
        job.tell(remark)
    job.tell(
        f"{len(covered)} of {len(kernels)} kernels covered "
        f"({facts['flops_covered']:.0%} of FLOPs), "
        f"{facts['kernels_transferred']} faster than the default; {result.stopped}"
    )
    return facts


def model_latency_ms(rows, kernels):
    """Sum over the kernels of what they take, in milliseconds; empty where one has no latency."""
    taken = [row for row in rows if row.chosen == "yes" and row.median_us]
    if len(taken) < kernels:
        return ""
    return round(sum(row.weight * float(row.median_us) * 1e-3 for row in taken), 6)


def all_source_seconds(options):
    """Search time of all sources; empty where a log of the library does not tell its own, or
    tells another device's."""
    total = source_seconds(source_records(options))
    for name, folder in options.sources:
        if name in options.settings.get("library", {}):
            log = read_log(folder)
            facts = log.origin.facts.get("facts") or {}
            if "search_seconds" not in facts or not made_here(log, options.settings):
                return ""
            total += float(facts["search_seconds"])
    return round(total, 3)


def source_seconds(records):
    """Search time that the sources' logs took, each with the log that it started from."""
    total = 0.0
    for path in records:
        record = read_record(path)
        total += float(record.facts.get("search_seconds", 0))
        total += source_seconds(
            Path(name) for name in record.inputs if Path(name).name == "log.json"
        )
    return round(total, 3)


def main():
    """Run the command line."""
    command = Command("Reuse other models' schedules on a target model's kernels.", "transfer")
    command.add("--kernels", type=Path, required=True, help="folder of all models' kernels")
    command.add("--target", required=True, metavar="MODEL", help="the target's name there")
    command.add(
        "--sources", type=named_folder, nargs="+", required=True, metavar="NAME=FOLDER",
        help="the sources' logs",
    )  # fmt: skip
    command.add(
        "--model", type=Path, required=True, help="exported target model, with its record beside it"
    )
    command.add("--untuned-record", type=Path, required=True, help="the target compiled untuned")
    command.add("--library", type=Path, required=True, help="compiled model to write")
    command.add("--journal", type=Path, required=True, help="folder of this transfer's journals")
    command.add("--out", type=Path, required=True, help="folder of the transferred log")
    command.add_execution()
    return command.run(transfer)


if __name__ == "__main__":
    raise SystemExit(main())
