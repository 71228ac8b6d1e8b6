#!/usr/bin/env python3
"""Make a compiled model a folder that runs without this project.

Inputs: the exported model, its compiled variant, and the records of both and of the log behind.
Outputs: the folder with library, weights, manifest and an example that runs it; and its record.
"""

import shutil
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.benchmark.estimates import Sampling, estimate_latency
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.pair import benchmark_variants, packed_weights
from rivulet.benchmark.subject import Subject
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
from rivulet.figures import milliseconds
from rivulet.hardware.open_place import at_place
from rivulet.hardware.place import PlaceUnreachable
from rivulet.hardware.target import resolve_target
from rivulet.jobs.cli import Command, configured_device
from rivulet.models.precision import tolerance_for
from rivulet.provenance import read_record, write_record
from rivulet.provenance.checkout import commit, versions
from rivulet.provenance.code import stage_code
from rivulet.tvm_compat import load_tvm

PACKAGED = "the package"


def package(job, options):
    """Package one variant of a model."""
    settings, device = options.settings, configured_device(options.settings)
    chosen = settings["benchmark"]
    model = read_record(options.model_record).facts
    tolerance, key = tolerance_for(chosen, model)
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    subject = Subject(
        options.onnx, {PACKAGED: folder / LIBRARY}, model["inputs"], device,
        TimingSettings.from_settings(chosen),
        tolerance, (), checks=chosen["inputs"], weights=job.scratch / "weights.npz",
        tolerance_key=key,
    )  # fmt: skip
    with job.measuring(device):
        load_tvm(device.threads)
        target = resolve_target(device)
        shutil.copyfile(options.library, folder / LIBRARY)
        params = packed_weights(subject, target)
        at_place(
            device.location,
            lambda place: pack_weights(folder / LIBRARY, params, folder / WEIGHTS, place),
        )
        try:
            found = benchmark_variants(
                subject, target, lambda _: None, lambda done, total: None, job.logger
            )
        except PlaceUnreachable as error:
            raise device.connection.trouble(str(error)) from error
    for reason in found.failures.values():
        raise UserError(f"{options.library} is not packaged: {reason}")
    latency = latency_of(found.samples[PACKAGED], chosen)
    names = [one["name"] for one in model["inputs"]]
    write_runner(folder, dict(zip(names, subject.arrays(chosen["seed"]), strict=True)))
    log = read_record(options.log_record)
    made = read_record(options.library_record)
    facts = {
        "model": options.subject["model"],
        "method": options.subject["what"],
        "trials": int(options.subject["trials"]),
        "latency_ms": latency,
        "max_rel_error_against_onnxruntime": found.errors[PACKAGED],
        "kernels": log.facts["kernels_total"],
        "kernels_scheduled": log.facts["kernels_covered"],
        "hardware": device.name,
        "fingerprint": settings["fingerprint"],
        "versions": versions(),
        "commit": commit(),
        "compiled": made.made["at"],
    }
    inputs = [Tensor(one["name"], tuple(one["shape"]), one["dtype"]) for one in model["inputs"]]
    write_manifest(
        folder, inputs, outputs_of(subject, model["outputs"]), target, device.threads, facts
    )
    where = "" if device.is_here else f" on a device such as '{device.name}'"
    took = milliseconds(latency["median"])
    job.tell(f"{folder}: {took}; try it{where}: python {folder / 'run.py'}")
    write_record(
        options.record, "package", options.subject, settings,
        [options.model_record, options.library_record, options.log_record, *options.machine],
        [folder / name for name in FILES], {"code": stage_code("package")},
    )  # fmt: skip


def outputs_of(subject, names):
    """The outputs' names, shapes and dtypes, as ONNX Runtime gives them."""
    reference = OnnxRuntimeModel(subject.onnx, subject.device.threads)
    reference.bind(subject.arrays(0))
    reference.run()
    found = zip(names, reference.outputs(), strict=True)
    return [Tensor(name, array.shape, str(array.dtype)) for name, array in found]


def latency_of(samples, chosen):
    """Median latency in ms with its interval, in one process."""
    sampling = Sampling(chosen["confidence"], chosen["bootstrap_resamples"], chosen["seed"])
    one = estimate_latency([samples], sampling)
    found = {"median": one.value, "low": one.low, "high": one.high}
    return {name: round(value, 6) for name, value in found.items()} | {"samples": len(samples)}


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
