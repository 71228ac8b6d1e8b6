#!/usr/bin/env python3
"""Extract the kernels of a model.

Inputs: the exported model and its record.
Outputs: the kernel table, the workloads, and their record.
"""

from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.kernels import save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.graph.prepare import prepare_model
from rivulet.provenance import write_record
from rivulet.provenance.code import stage_code


def extract(job, options):
    """Extract one model's kernels."""
    device = configured_device(options.settings)
    target = resolve_target(device)
    with job.device("cpu", shared=True):
        kernels = extract_kernels(prepare_model(options.onnx, target), target)
    options.table.parent.mkdir(parents=True, exist_ok=True)
    save_kernels(kernels, options.table, options.workloads)
    gflops = sum(k.flops * k.weight for k in kernels) / 1e9
    classes = len({k.kind for k in kernels})
    job.tell(f"{len(kernels)} kernels in {classes} classes, {gflops:.3f} GFLOP")
    facts = {
        "code": stage_code("kernels"),
        "target": str(target),
        "kernels": len(kernels),
        "classes": classes,
        "gflop": round(gflops, 6),
    }
    write_record(
        options.record,
        "kernels",
        options.subject,
        options.settings,
        [options.model_record, *options.machine],
        [options.table, options.workloads],
        facts,
    )


def main():
    """Run the command line."""
    command = Command("Extract the tunable kernels of an ONNX model.", "kernels")
    command.add("--onnx", type=Path, required=True, help="exported model")
    command.add("--model-record", type=Path, required=True, help="record of the exported model")
    command.add("--table", type=Path, required=True, help="kernel table to write, CSV")
    command.add("--workloads", type=Path, required=True, help="workloads to write")
    return command.run(extract)


if __name__ == "__main__":
    raise SystemExit(main())
