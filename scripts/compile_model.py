#!/usr/bin/env python3
"""Compile a model with the best schedules of a log.

Inputs: the exported model, the log (none for the untuned model), and their records.
Outputs: the compiled model, a page with its schedules where it has any, and its record.
"""

import csv
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.compile import compile_model
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels.extract import refuse_others
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned
from rivulet.report.schedules import write_schedules


def compile_one(job, options):
    """Compile one variant of a model."""
    device = configured_device(options.settings)
    target = resolve_target(device)
    options.library.parent.mkdir(parents=True, exist_ok=True)
    log = None
    inputs = [options.model_record, *options.machine]
    if options.kernels_record is not None:
        inputs.append(options.kernels_record)
    if options.source_log is not None:
        stored = read_log(options.source_log)
        log = open_thinned(stored, job.scratch / "best", logger=job.logger)
        inputs.append(options.source_record)
    job.tell("compiling")
    with job.device("cpu", shared=True):
        model = prepare_model(options.onnx, target)
        if log is not None:
            with options.kernels.open(newline="") as stream:
                searched = [row["workload"] for row in csv.DictReader(stream)]
            refuse_others(model.module, searched, options.kernels)
        compile_model(model, target, log, options.library, device.linker)
    outputs = [options.library]
    if log is not None:
        subject = options.subject
        title = f"{subject.get('name') or subject['model']}, {subject['what']}"
        write_schedules(title, options.source_log, options.kernels, options.schedules)
        outputs.append(options.schedules)
    facts = {
        "code": stage_code("compile"),
        "target": str(target),
        "bytes": options.library.stat().st_size,
    }
    write_record(
        options.record, "compile", options.subject, options.settings, inputs, outputs, facts
    )


def main():
    """Run the command line."""
    command = Command("Compile a model, each kernel with its best schedule of a log.", "compile")
    command.add("--onnx", type=Path, required=True, help="exported model")
    command.add("--model-record", type=Path, required=True, help="record of the exported model")
    command.add("--kernels-record", type=Path, help="record of the model's kernels, without a log")
    command.add("--source-log", type=Path, help="folder of the log; none for the untuned model")
    command.add("--source-record", type=Path, help="record of that log")
    command.add("--kernels", type=Path, help="table of the model's kernels, with a log")
    command.add("--schedules", type=Path, help="page of the schedules to write, with a log")
    command.add("--library", type=Path, required=True, help="shared library to write")
    return command.run(compile_one)


if __name__ == "__main__":
    raise SystemExit(main())
