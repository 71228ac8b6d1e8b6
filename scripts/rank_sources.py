#!/usr/bin/env python3
"""Rank the sources of each target by the benefit to expect, before any transfer is measured.

Inputs: all models' workloads, and their logs of all kinds and trial counts.
Outputs: the ranking and its record.
"""

import math
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.jobs.cli import Command
from rivulet.kernels import load_kernels
from rivulet.kernels.structure import kernel_structure
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.records.best import best_of_workloads
from rivulet.records.stored import read_log
from rivulet.transfer.ranking import KnownKernel, rank_sources, write_ranking
from rivulet.transfer.sources import check_library, load_source, made_here


def rank(job, options):
    """Rank the sources on one hardware."""
    settings = options.settings
    with job.device("cpu", shared=True):
        models = {
            path.name.partition(".workloads")[0]: load_kernels(path) for path in options.workloads
        }
        structures = {
            kernel.workload: kernel_structure(kernel.module)
            for kernels in models.values() for kernel in kernels
        }  # fmt: skip
        library = {
            name: library_kernels(job, name, one, settings)
            for name, one in settings["library"].items()
        }
        logs = {}
        for path in options.log_records:
            record = read_record(path)
            subject = record.subject
            best = best_of_workloads(read_log(path.parent))
            known = [
                KnownKernel(
                    k.workload, structures[k.workload], k.flops, k.weight,
                    *best.get(k.workload, (math.inf, 0)),
                )
                for k in models[subject["model"]]
            ]  # fmt: skip
            logs.setdefault((subject["log"], int(subject["trials"])), {})[subject["model"]] = known
        rows = []
        for (log, trials), known in sorted(logs.items()):
            for target, kernels in known.items():
                sources = {n: k for n, k in {**known, **library}.items() if n != target}
                rows += rank_sources(log, trials, target, kernels, sources)
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_ranking(rows, options.table)
    for row in rows:
        if row.place == 1:
            job.tell(f"{row.log}-{row.trials}, {row.target}: {row.source} is expected to be best")
    inputs = [*options.kernels_records, *options.log_records, *options.library_files]
    inputs += options.machine
    write_record(
        options.record, "ranking", options.subject, settings, inputs, [options.table],
        {"code": stage_code("ranking")},
    )  # fmt: skip


def library_kernels(job, name, one, settings):
    """Kernels of a log from elsewhere, as far as it tells, after checking where that is."""
    folder = Path(one["log"])
    log = read_log(folder)
    remark = check_library(name, log, settings, one["other_hardware"])
    if remark:
        job.tell(remark)
    timed = made_here(log, settings)
    source = load_source(name, folder, [], job.scratch, 1, job.logger, timed)
    counts = best_of_workloads(log)
    return [
        KnownKernel(
            k.workload, k.structure, k.flops, 1,
            float(k.records[0].run_secs[0]) if timed else math.inf,
            counts.get(k.workload, (0.0, 1))[1], timed,
        )
        for k in source.kernels
    ]  # fmt: skip


def main():
    """Run the command line."""
    about = "Rank the sources of each target by the benefit to expect."
    command = Command(about, "ranking", anywhere=True)
    several = {"type": Path, "nargs": "*", "default": []}
    command.add("--workloads", **several, help="workloads of all models, NAME.workloads...")
    command.add("--kernels-records", **several, help="records of their kernels")
    command.add("--log-records", **several, help="records of the models' logs")
    command.add("--library-files", **several, help="databases of the library")
    command.add("--table", type=Path, required=True, help="CSV to write")
    return command.run(rank)


if __name__ == "__main__":
    raise SystemExit(main())
