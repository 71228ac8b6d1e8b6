"""Variants of one model, timed again and again in processes of their own.

Within a process all samples share its memory layout and its minute; an interval from them does not
tell what the next process would show. So a claim about a small difference rests on repetitions: one
ratio from each of several processes.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.pair import benchmark_variants
from rivulet.errors import UserError
from rivulet.hardware.fingerprint import Device
from rivulet.measure.ratios import Ratio
from rivulet.measure.statistics import median
from rivulet.models.prepare import prepare_model

_PROFILED_RUNS = 5


@dataclass(frozen=True)
class Subject:
    """What every repetition times.

    Attributes:
        onnx: The exported model.
        libraries: Method to compiled model.
        inputs: Name, shape and dtype of each input.
        device: The device.
        timing: How to time; each repetition has a seed of its own.
        tolerance: Largest relative error of an output that counts as right.
    """

    onnx: Path
    libraries: Mapping[str, Path]
    inputs: Sequence[Mapping[str, Any]]
    device: Device
    timing: TimingSettings
    tolerance: float


@dataclass(frozen=True)
class Repetition:
    """What one process saw.

    Attributes:
        samples: Method to latency samples in milliseconds.
        functions: Method to the microseconds that each function takes within the model.
    """

    samples: dict[str, list[float]]
    functions: dict[str, dict[str, float]]


def repeat_benchmark(
    subject: Subject, repetitions: int, report: Callable[[int, str], None]
) -> list[Repetition]:
    """Time all variants in turns, in one new process after the other.

    Raises:
        UserError: A variant does not run, or its output is wrong.
    """
    # A new interpreter: a copy of this one would share its memory layout.
    context = multiprocessing.get_context("spawn")
    found = []
    for number in range(repetitions):
        timing = replace(subject.timing, seed=subject.timing.seed + number)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found.append(pool.submit(_repeat, replace(subject, timing=timing)).result())
        report(number + 1, f"{len(subject.libraries)} variants in turns, each in a new process")
    return found


def _repeat(subject: Subject) -> Repetition:
    from rivulet.hardware.target import resolve_target
    from rivulet.tvm_compat import load_tvm

    load_tvm(subject.device.threads)
    target = resolve_target(subject.device)
    result = benchmark_variants(
        subject.onnx, dict(subject.libraries), [dict(one) for one in subject.inputs], target,
        subject.device.threads, subject.timing, subject.tolerance,
        lambda done, total: None, logging.getLogger("rivulet"),
    )  # fmt: skip
    if result.failures:
        method, reason = next(iter(result.failures.items()))
        raise UserError(f"{method}: {reason}")
    params = prepare_model(subject.onnx, target).params
    functions = {method: _profile(p, params, subject) for method, p in subject.libraries.items()}
    return Repetition(result.samples, functions)


def _profile(path: Path, params: list[Any], subject: Subject) -> dict[str, float]:
    model = CompiledModel(path, params)
    generator = np.random.default_rng(subject.timing.seed)
    model.bind([generator.standard_normal(i["shape"]).astype(i["dtype"]) for i in subject.inputs])
    model.run()
    runs = [model.function_times() for _ in range(_PROFILED_RUNS)]
    return {name: median([run[name] for run in runs if name in run]) for name in runs[0]}


def effect_of(
    repetitions: Sequence[Repetition], baseline: str, method: str, confidence: float
) -> Ratio:
    """Baseline's latency over the method's: geometric mean and Student's interval.

    The repetitions' ratios of median latencies are what is drawn from.

    Args:
        repetitions: At least two.
        baseline: The variant to compare with.
        method: The variant.
        confidence: Of the interval.
    """
    from scipy.stats import t

    logs = np.log([median(r.samples[baseline]) / median(r.samples[method]) for r in repetitions])
    spread = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    reach = float(t.ppf(0.5 + confidence / 2, len(logs) - 1)) * spread
    middle = float(np.mean(logs))
    return Ratio(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def function_changes(
    repetitions: Sequence[Repetition], baseline: str, method: str, least: float
) -> list[tuple[str, float, float]]:
    """Functions that take more or less time in the method, those that matter most first.

    Args:
        repetitions: The repetitions.
        baseline: The variant to compare with.
        method: The variant.
        least: Smallest change to tell, as a share of the model's time. One whose direction is not
            the same in every repetition is left out.

    Returns:
        Name, and microseconds in the baseline and in the method.
    """
    names = set.intersection(
        *(set(r.functions[baseline]) & set(r.functions[method]) for r in repetitions)
    )
    total = median([sum(r.functions[baseline].values()) for r in repetitions])
    changes = []
    for name in names:
        before = [r.functions[baseline][name] for r in repetitions]
        after = [r.functions[method][name] for r in repetitions]
        steady = len({b > a for b, a in zip(before, after, strict=True)}) == 1
        if steady and abs(median(before) - median(after)) >= least * total:
            changes.append((name, median(before), median(after)))
    return sorted(changes, key=lambda one: (-abs(one[1] - one[2]), one[0]))
