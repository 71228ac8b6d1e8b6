"""Benchmark a target's variants: check each one's output, then time all of them interleaved."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel
from rivulet.benchmark.interleave import TimingSettings, Variant, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.hardware.cpu import spread_cpus
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.prepare import prepare_model


@dataclass(frozen=True)
class PairResult:
    """What a benchmark of one target's variants found.

    Attributes:
        samples: Method to latency samples in milliseconds; wrong methods are left out.
        errors: Method to its largest relative error against ONNX Runtime.
        failures: Method to the reason why it has no samples.
    """

    samples: dict[str, list[float]]
    errors: dict[str, float]
    failures: dict[str, str]


def benchmark_variants(
    onnx: Path,
    libraries: dict[str, Path],
    inputs: list[dict[str, Any]],
    target: Any,
    threads: int,
    timing: TimingSettings,
    tolerance: float,
    report: Callable[[int, int], None],
    logger: logging.Logger,
) -> PairResult:
    """Check and time ONNX Runtime and compiled variants of one model.

    Args:
        onnx: The exported model, for ONNX Runtime and for the weights.
        libraries: Method to compiled model.
        inputs: Name, shape and dtype of each input.
        target: TVM target.
        threads: Threads of both runtimes.
        timing: How to time.
        tolerance: Largest relative error of an output that still counts as right.
        report: Told the rounds done and the rounds in all.
        logger: Told of methods that fail.
    """
    generator = np.random.default_rng(timing.seed)
    arrays = [generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in inputs]
    reference = OnnxRuntimeModel(onnx, threads)
    reference.bind(arrays)
    reference.run()
    expected = reference.outputs()
    variants: dict[str, Variant] = {}
    errors, failures = {"onnxruntime": 0.0}, {}
    params = prepare_model(onnx, target).params
    for method, path in libraries.items():
        try:
            variant = CompiledModel(path, params)
            variant.bind(arrays)
            variant.run()
            errors[method] = largest_relative_error(variant.outputs(), expected)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            failures[method] = f"it does not run: {reason}"
            logger.exception("%s does not run", method)
            continue
        if errors[method] <= tolerance:
            variants[method] = variant
        else:
            failures[method] = (
                f"wrong output: relative error {errors[method]:.2e} against ONNX Runtime, "
                f"allowed {tolerance:g}"
            )
            logger.warning("%s: %s", method, failures[method])
    variants["onnxruntime"] = reference
    # Both pools have their other threads on other cores by now. Pinned earlier, this thread's
    # restriction would be inherited by them.
    os.sched_setaffinity(0, spread_cpus(1))
    return PairResult(time_interleaved(variants, timing, report), errors, failures)
