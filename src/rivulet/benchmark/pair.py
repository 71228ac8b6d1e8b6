"""Benchmark a target's variants: check each one's output, then time all of them interleaved."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel
from rivulet.benchmark.interleave import Configured, Variant, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.openvino_model import OpenVinoModel
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.torch_model import TorchModel
from rivulet.errors import UserError, first_line, last_line
from rivulet.graph.prepare import prepare_model
from rivulet.hardware.conduct import Conduct, conduct_between, read_counters
from rivulet.hardware.cpu import spread_cpus
from rivulet.hardware.open_place import open_place
from rivulet.hardware.place import CPU, Place, PlaceUnreachable
from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.roofline import SpeedProbe
from rivulet.measure.statistics import median
from rivulet.methods import ONNXRUNTIME, OPENVINO, TORCH, TORCH_COMPILE
from rivulet.models.export import build_torchvision
from rivulet.tvm_compat import load_tvm

_TORCH = (TORCH, TORCH_COMPILE)
_PROFILED_RUNS, _PROFILED_SECONDS = 5, 1.0  # whichever comes first


@dataclass(frozen=True)
class PairResult:
    """What one process found.

    Attributes:
        samples: Method to latency samples in milliseconds; wrong methods are left out.
        errors: Method to its largest relative error against ONNX Runtime.
        failures: Method to the reason why it has no samples.
        functions: Method to the microseconds that each function takes within the model, medians
            of some runs; compiled models only.
        conduct: What else the machine did while they were timed.
        toolchain: The resolved target, and the version of LLVM behind it.
        runtimes: Other runtime to how it is configured, by the names of its own options.
    """

    samples: dict[str, list[float]]
    errors: dict[str, float]
    failures: dict[str, str]
    functions: dict[str, dict[str, float]] = field(default_factory=dict)
    conduct: Conduct | None = None
    toolchain: dict[str, str] = field(default_factory=dict)
    runtimes: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class _Checked:
    """What the outputs of a subject's variants showed.

    Attributes:
        inputs: Those that the variants are timed on.
        variants: Method to what is loaded and right.
        errors: Method to its largest relative error.
        failures: Method to the reason why it is not timed.
        taken: Seconds of the checked run of those that get one sample.
    """

    inputs: list[np.ndarray]
    variants: dict[str, Variant] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)


def benchmark_variants(
    subject: Subject,
    target: Any,
    begin: Callable[[str], None],
    report: Callable[[int, int], None],
    *,
    logger: logging.Logger,
) -> PairResult:
    """Check and time the variants of one model in this process.

    Args:
        subject: The model and its variants.
        target: TVM target.
        begin: Told the method whose turn it is, until each has been timed once.
        report: Told the rounds done and the rounds in all.
        logger: Told of methods that fail.

    Raises:
        PlaceUnreachable: There is no device, or it was lost meanwhile.
        UserError: A session over RPC does not last long enough.
    """
    place = open_place(subject.device.location)
    try:
        return _benchmark_at(place, subject, target, begin, report=report, logger=logger)
    except Exception as error:
        if place.seconds_left() <= 0:
            raise UserError(
                f"hardware.{subject.device.name}.rpc.session_timeout_s: timing all methods took "
                "longer than a session lasts, or one of them never ends; raise it, or take fewer "
                "samples"
            ) from error
        # A GPU of this machine is lost to this process only: it ends, and the next one is told.
        if not place.location.is_here and not place.alive():
            raise PlaceUnreachable("the session was lost while whole models ran") from error
        raise
    finally:
        place.close()


def _benchmark_at(
    place: Place,
    subject: Subject,
    target: Any,
    begin: Callable[[str], None],
    *,
    report: Callable[[int, int], None],
    logger: logging.Logger,
) -> PairResult:
    cpus = sorted(os.sched_getaffinity(0))
    found = _check_outputs(place, subject, target, begin, logger=logger)
    for method, variant in found.variants.items():
        begin(method)
        variant.bind(found.inputs)
    begin("")
    # All pools have their other threads on other cores by now. Pinned earlier, this thread's
    # restriction would be inherited by them.
    if place.is_host_cpu:
        os.sched_setaffinity(0, spread_cpus(1))
    try:
        # A GPU's clock follows its load within milliseconds, which says nothing of the others.
        probing = subject.peak_gflops and place.location.kind == CPU
        probe = SpeedProbe(target, subject.device.threads, place) if probing else None
        speeds = [probe.gflops()] if probe else []
        before = read_counters(cpus)
        samples = time_interleaved(
            found.variants, subject.timing, report, begin, once_only=found.taken
        )
        # These are this machine's counters: what it does meanwhile disturbs no device elsewhere.
        counted = conduct_between(before, read_counters(cpus), len(cpus))
        conduct = (
            counted if subject.device.is_here else Conduct(counted.seconds, 0.0, 0.0, None, None)
        )
        if probe and subject.peak_gflops:
            speed = min(*speeds, probe.gflops()) / subject.peak_gflops
            conduct = replace(conduct, speed=round(speed, 4))
        functions = {
            m: _profile(v, warm=m in subject.once_only)
            for m, v in found.variants.items()
            if isinstance(v, CompiledModel) and m not in subject.profiled
        }
    finally:
        os.sched_setaffinity(0, cpus)
    toolchain = {
        "resolved_target": str(target),
        "llvm": str(load_tvm().target.codegen.llvm_version_major()),
    }
    runtimes = {m: v.configuration for m, v in found.variants.items() if isinstance(v, Configured)}
    return PairResult(
        samples, found.errors, found.failures, functions, conduct, toolchain, runtimes
    )


def _check_outputs(
    place: Place,
    subject: Subject,
    target: Any,
    begin: Callable[[str], None],
    *,
    logger: logging.Logger,
) -> _Checked:
    checked = [subject.arrays(subject.timing.seed + number) for number in range(subject.checks)]
    reference = OnnxRuntimeModel(subject.onnx, subject.device.threads)
    expected = [_outputs_of(reference, arrays) for arrays in checked]
    del reference  # it is timed from its own place in memory, like the others
    found = _Checked(checked[0])
    params = packed_weights(subject, target) if subject.libraries else []
    # Whoever is loaded later runs up to a percent faster, from where its buffers come to lie: in
    # each process another order.
    order = list(subject.methods)
    random.Random(subject.timing.seed).shuffle(order)
    for method in order:
        begin(method)
        try:
            variant = _load(subject, method, params, place)
            inputs = 1 if method in subject.once_only else len(checked)
            started = time.perf_counter()
            outputs = [_outputs_of(variant, arrays) for arrays in checked[:inputs]]
            if method in subject.once_only:
                # Elsewhere this process's clock tells nothing.
                found.taken[method] = time.perf_counter() - started if place.is_host_cpu else 0.0
            found.errors[method] = max(
                largest_relative_error(output, right)
                for output, right in zip(outputs, expected[:inputs], strict=True)
            )
        except Exception as error:
            if not place.alive():
                raise
            # TVM's errors end with the reason; torch's begin with it.
            reason = first_line(error) if method in _TORCH else last_line(error)
            found.failures[method] = f"it does not run: {reason}"
            logger.exception("%s does not run", method)
            continue
        if found.errors[method] <= subject.tolerance:
            found.variants[method] = variant
        else:
            found.failures[method] = (
                f"wrong output: relative error {found.errors[method]:.2e} against ONNX Runtime, "
                f"allowed {subject.tolerance:g} ({subject.tolerance_key})"
            )
            logger.warning("%s: %s", method, found.failures[method])
    return found


def packed_weights(subject: Subject, target: Any) -> list[Any]:
    """The prepared model's weights; from the subject's file, which is written when it is not there.

    Importing a model takes seconds, and every process of a benchmark needs the weights.
    """
    tvm = load_tvm()
    path = subject.weights
    if path is not None and path.exists():
        with np.load(path) as kept:
            return [tvm.runtime.tensor(kept[name]) for name in kept.files]
    params = prepare_model(subject.onnx, target).params
    if path is not None:
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, *[param.numpy() for param in params])
        partial.replace(path)
    return params


def _load(subject: Subject, method: str, params: Sequence[Any], place: Place) -> Variant:
    if method == ONNXRUNTIME:
        return OnnxRuntimeModel(subject.onnx, subject.device.threads)
    if method == OPENVINO:
        return OpenVinoModel(subject.onnx, subject.device.threads)
    if method in _TORCH:
        return TorchModel(_module_of(subject), subject.device.threads, method == TORCH_COMPILE)
    return CompiledModel(subject.libraries[method], list(params), place)


def _module_of(subject: Subject) -> Callable[[], Any]:
    if subject.module is not None:
        return subject.module
    one = subject.definition
    if one is None or "torchvision" not in one:
        raise ValueError("it is no model of torchvision")
    return partial(
        build_torchvision, one["torchvision"], list(one["shape"]), one["weights"], one["seed"]
    )


def _outputs_of(variant: Variant, arrays: list[Any]) -> list[np.ndarray]:
    """Outputs for the inputs; copies, because the next run may write to the same memory."""
    variant.bind(arrays)
    variant.run()
    return [np.array(one) for one in variant.outputs()]


def _profile(model: CompiledModel, warm: bool) -> dict[str, float]:
    if not warm:
        model.run()
    begin = time.monotonic()
    runs = [model.function_times()]
    while runs[0] and len(runs) < _PROFILED_RUNS and time.monotonic() - begin < _PROFILED_SECONDS:
        runs.append(model.function_times())
    return {name: median([run[name] for run in runs if name in run]) for name in runs[0]}


def seeded(subject: Subject, number: int) -> Subject:
    """The subject of a benchmark's n-th process, with an order of its own."""
    timing = replace(subject.timing, seed=subject.timing.seed + number)
    return replace(subject, timing=timing)
