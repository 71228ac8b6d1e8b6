#!/usr/bin/env python3
"""Extract the kernels of a model, once it is known that TVM computes it right.

Inputs: the exported model and its record.
Outputs: the kernel table, the workloads, and their record.
"""

import json
import os
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.config.sections import Benchmark
from rivulet.errors import UserError
from rivulet.figures import operations
from rivulet.graph.errors import told
from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.cpu import usable_cpus
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device, json_argument
from rivulet.kernels import save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.leftover import listed, refuse_leftovers
from rivulet.models.precision import FLOAT32
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import stage_code
from rivulet.tvm_compat import load_tvm
from rivulet.verify.check import Check, verify
from rivulet.verify.culprit import failing_node


def extract(job, options):
    """Check one model and extract its kernels."""
    device = configured_device(options.settings)
    exported = read_record(options.model_record)
    name = exported.settings["model"].get("onnx", options.subject["model"])
    threads = min(device.threads, usable_cpus())
    load_tvm(threads)  # before anything else loads it: the check runs kernels
    target = resolve_target(device)
    with job.device("cpu", shared=True):
        with told(name, options.onnx, lambda: culprit(job, options, target)):
            model = prepare_model(options.onnx, target)
        with told(name, options.onnx):
            untuned = refuse_leftovers(model.module, target)
            if untuned:
                job.tell(f"not tuned, because TVM has no loops to schedule: {listed(untuned)}")
            kernels = extract_kernels(model, target)
            if not kernels:
                raise UserError("it has no kernel: nothing is computed from its inputs")
            check = Check.of_export(
                options.onnx, name, exported.facts, options.benchmark, threads, job.scratch,
                job.logger.info,
            )  # fmt: skip
            error = verify(check, model, target)
    left = inspect_module(model.module)
    options.table.parent.mkdir(parents=True, exist_ok=True)
    save_kernels(kernels, options.table, options.workloads)
    flops = sum(k.flops * k.weight for k in kernels)
    classes = len({k.kind for k in kernels})
    job.tell(f"{len(kernels)} kernels in {classes} classes, {operations(flops)}")
    facts = {
        "code": stage_code("kernels"),
        "target": str(target),
        "kernels": len(kernels),
        "classes": classes,
        "gflop": round(flops / 1e9, 6),
        "precision": exported.facts.get("precision", FLOAT32),
        "transposes_inside": len(left.transposes_inside),
        "transposes_written": len(left.transposes_written),
        "weight_only_kernels": len(left.weight_only),
        "max_rel_error_against_onnxruntime": error,
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


def culprit(job, options, target):
    """The operator at which preparation fails."""
    job.tell("TVM fails on this model; looking for the operator")
    return failing_node(options.onnx, target, prepare_model, job.scratch)


def configured_benchmark():
    """The section of the config, or its defaults where no workflow says one."""
    config = json.loads(os.environ.get("RIVULET_CONFIG", "null"))
    return config["benchmark"] if config else Benchmark().model_dump(mode="json")


def main():
    """Run the command line."""
    command = Command("Extract the tunable kernels of an ONNX model.", "kernels")
    command.add("--onnx", type=Path, required=True, help="exported model")
    command.add("--model-record", type=Path, required=True, help="record of the exported model")
    command.add("--table", type=Path, required=True, help="kernel table to write, CSV")
    command.add("--workloads", type=Path, required=True, help="workloads to write")
    # The check's tolerance changes nothing of what is written, and is no setting of this stage.
    command.add(
        "--benchmark", type=json_argument, default=json.dumps(configured_benchmark()),
        help="the section 'benchmark' of the config, as JSON, for the check's inputs and tolerance",
    )  # fmt: skip
    return command.run(extract)


if __name__ == "__main__":
    raise SystemExit(main())
