#!/usr/bin/env python3
"""Rank the sources of each target by how alike their kernels are; no log is needed.

Inputs: all models' workloads, and the library.
Outputs: the ranking, which `pairs: {ranking: FILE}` reads a copy of, and its record.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.jobs.cli import Command
from rivulet.kernels import load_kernels
from rivulet.kernels.structure import kernel_structure
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.records.stored import read_log
from rivulet.transfer.ranking import KnownKernel
from rivulet.transfer.similarity import compare_sources, write_similarity
from rivulet.transfer.sources import check_library, load_source


def compare(job, options):
    """Compare the models' kernels on one hardware."""
    settings = options.settings
    with job.device("cpu", shared=True):
        models = {}
        for path in options.workloads:
            models[path.name.removesuffix(".workloads.json.gz")] = [
                KnownKernel(k.workload, kernel_structure(k.module), k.flops, k.weight)
                for k in load_kernels(path)
            ]
        library = {
            name: library_kernels(job, name, one, settings)
            for name, one in settings["library"].items()
        }
        rows = compare_sources(models, library)
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_similarity(rows, options.table)
    job.tell(f"{len(rows)} pairs of {len(models)} models ranked in {options.table}")
    inputs = [*options.kernels_records, *options.library_files, *options.machine]
    write_record(
        options.record, "similarity", options.subject, settings, inputs, [options.table],
        {"code": stage_code("similarity")},
    )  # fmt: skip


def library_kernels(job, name, one, settings):
    """Kernels of a log from elsewhere; how often its model runs each is not known."""
    folder = Path(one["log"])
    remark = check_library(name, read_log(folder), settings, one["other_hardware"])
    if remark:
        job.tell(remark)
    source = load_source(name, folder, [], job.scratch, 1, job.logger)
    return [KnownKernel(k.workload, k.structure, k.flops, 1) for k in source.kernels]


def main():
    """Run the command line."""
    about = "Rank the sources of each target by how alike their kernels are."
    command = Command(about, "compare", anywhere=True)
    several = {"type": Path, "nargs": "*", "default": []}
    command.add("--workloads", **several, help="workloads of all models, NAME.workloads.json.gz")
    command.add("--kernels-records", **several, help="records of their kernels")
    command.add("--library-files", **several, help="databases of the library")
    command.add("--table", type=Path, required=True, help="CSV to write")
    return command.run(compare)


if __name__ == "__main__":
    raise SystemExit(main())
