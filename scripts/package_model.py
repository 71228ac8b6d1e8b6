#!/usr/bin/env python3
"""Make a compiled model a folder that runs without this project.

Inputs: the exported model, its compiled variant, and the records of both and of the log behind.
Outputs: the folder with library, weights, manifest and an example that runs it; and its record.
"""

import shutil
from pathlib import Path

import numpy as np

import _bootstrap  # noqa: F401
from rivulet.benchmark.compile import CompiledModel
from rivulet.benchmark.estimates import Sampling, estimate_latency
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.deploy.package import (
    FILES,
    LIBRARY,
    WEIGHTS,
    Tensor,
    pack_weights,
    write_manifest,
    write_runner,
)
from rivulet.errors import UserError
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.prepare import prepare_model
from rivulet.provenance import read_record, write_record
from rivulet.provenance.checkout import commit, versions
from rivulet.provenance.code import stage_code
from rivulet.tvm_compat import load_tvm


def package(job, options):
    """Package one variant of a model."""
    settings, device = options.settings, configured_device(options.settings)
    chosen = settings["benchmark"]
    model = read_record(options.model_record).facts
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    with job.device("cpu"):
        load_tvm(device.threads)
        target = resolve_target(device)
        params = prepare_model(options.onnx, target).params
        shutil.copyfile(options.library, folder / LIBRARY)
        pack_weights(folder / LIBRARY, params, folder / WEIGHTS)
        variant = CompiledModel(folder / LIBRARY, params)
        outputs, error = checked(options.onnx, variant, model, device, chosen)
        latency = timed(variant, chosen)
    write_runner(folder)
    log = read_record(options.log_record)
    made = read_record(options.library_record)
    facts = {
        "model": options.subject["model"],
        "method": options.subject["what"],
        "trials": int(options.subject["trials"]),
        "latency_ms": latency,
        "max_rel_error_against_onnxruntime": error,
        "kernels": log.facts["kernels_total"],
        "kernels_scheduled": log.facts["kernels_covered"],
        "hardware": device.name,
        "fingerprint": settings["fingerprint"],
        "versions": versions(),
        "commit": commit(),
        "compiled": made.made["at"],
    }
    inputs = [Tensor(one["name"], tuple(one["shape"]), one["dtype"]) for one in model["inputs"]]
    write_manifest(folder, inputs, outputs, target, device.threads, facts)
    job.tell(f"{folder}: {latency['median']:.3f} ms; try it: python {folder / 'run.py'}")
    write_record(
        options.record, "package", options.subject, settings,
        [options.model_record, options.library_record, options.log_record],
        [folder / name for name in FILES], {"code": stage_code("package")},
    )  # fmt: skip


def checked(onnx, variant, model, device, chosen):
    """The outputs' names, shapes and dtypes, and the largest error against ONNX Runtime."""
    reference = OnnxRuntimeModel(onnx, device.threads)
    worst = 0.0
    for number in range(chosen["inputs"]):
        generator = np.random.default_rng(chosen["seed"] + number)
        arrays = [generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in model["inputs"]]
        for one in (reference, variant):
            one.bind(arrays)
            one.run()
        worst = max(worst, largest_relative_error(variant.outputs(), reference.outputs()))
    if not worst <= chosen["tolerance"]:
        raise UserError(
            f"the compiled model's output differs from ONNX Runtime's by {worst:.1e}, allowed "
            f"{chosen['tolerance']:g}; it is not packaged"
        )
    found = zip(model["outputs"], variant.outputs(), strict=True)
    return [Tensor(name, array.shape, str(array.dtype)) for name, array in found], worst


def timed(variant, chosen):
    """Median latency in ms with its interval, in this process."""
    timing = TimingSettings(**{k: chosen[k] for k in TimingSettings.__dataclass_fields__})
    samples = time_interleaved({"it": variant}, timing, lambda done, total: None)["it"]
    sampling = Sampling(chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"])
    one = estimate_latency([samples], sampling)
    names = ("median", "low", "high")
    return {n: round(v, 6) for n, v in zip(names, (one.value, one.low, one.high), strict=True)} | {
        "samples": len(samples)
    }


def main():
    """Run the command line."""
    command = Command("Make a compiled model a folder that runs by itself.", "package")
    command.add("--onnx", type=Path, required=True, help="exported model")
    command.add("--model-record", type=Path, required=True, help="its record")
    command.add("--library", type=Path, required=True, help="compiled model")
    command.add("--library-record", type=Path, required=True, help="its record")
    command.add("--log-record", type=Path, required=True, help="record of the log behind it")
    command.add("--out", type=Path, required=True, help="folder to write")
    return command.run(package)


if __name__ == "__main__":
    raise SystemExit(main())
