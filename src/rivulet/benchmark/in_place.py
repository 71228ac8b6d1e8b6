"""Are a model's new schedules faster in the model itself, and if not, which ones are not?

A kernel is measured alone. In its model caches hold what the kernel before it left, so that a
schedule may win alone and lose in place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.hardware.place import Place
from rivulet.kernels import Kernel
from rivulet.kernels.extract import workload_hash
from rivulet.measure.statistics import median, significantly_faster
from rivulet.graph.prepare import PreparedModel
from rivulet.records import TuningLog

_LONG_MS = 200.0
_CLEARLY = 2.0  # one run each is enough where one is this many times faster
_ROUNDS = 8
_PROFILED_RUNS = 3
_SLOWER = 1.05
_ATTEMPTS = 3


@dataclass(frozen=True)
class InPlace:
    """What timing a whole model with and without its new schedules found.

    Attributes:
        before_ms: Latencies without them.
        after_ms: Latencies with those that are kept.
        put_back: Tasks of kernels that got their default schedule back.
    """

    before_ms: list[float]
    after_ms: list[float]
    put_back: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Subject:
    """The model that is checked.

    Attributes:
        model: The prepared model.
        kernels: Its kernels.
        inputs: Name, shape and dtype of each input.
        target: TVM target.
        seed: Seed of the inputs.
        significance: p-value below which slower counts as slower.
        place: Where it runs; this machine's CPU by default.
        linker: Command that links for it; empty for this machine's linker.
    """

    model: PreparedModel
    kernels: list[Kernel]
    inputs: list[dict[str, Any]]
    target: Any
    seed: int
    significance: float
    place: Place | None = None
    linker: str = ""


def prove_in_place(
    subject: Subject,
    before: Path,
    chosen: TuningLog,
    scratch: Path,
    library: Path,
    say: Callable[[str], None],
    logger: logging.Logger,
) -> tuple[InPlace, TuningLog]:
    """Compile a model with new schedules, and put back what makes it slower than without.

    Args:
        subject: The model.
        before: The model compiled without the schedules.
        chosen: The schedules.
        scratch: Folder for logs of fewer schedules.
        library: Where the compiled model with the schedules that are kept goes.
        say: Told what is put back.
        logger: Told of times.

    Returns:
        What was found, and the log of the schedules that are kept.
    """
    put_back: list[str] = []
    old: CompiledModel | None = None
    for attempt in range(_ATTEMPTS + 1):
        compile_model(subject.model, subject.target, chosen, library, subject.linker)
        old = old or _loaded(before, subject)
        new = _loaded(library, subject)
        times = _time_both(old, new)
        logger.info("in place: without %s ms, with %s ms", *times)
        taken = [kernel for kernel in subject.kernels if chosen.best_records(kernel, 1)]
        if not taken or not _slower(times, subject.significance):
            break
        slower = _offenders(before, library, subject, logger)
        offenders = [kernel for kernel in taken if kernel.task in slower]
        if not offenders or attempt >= _ATTEMPTS - 1:
            offenders = taken
        put_back += [kernel.task for kernel in offenders]
        say(
            f"the whole model is slower with the schedules ({median(times[1]):.3f} ms) than "
            f"without ({median(times[0]):.3f} ms); put back: "
            + ", ".join(kernel.task for kernel in offenders)
        )
        chosen = _without(chosen, offenders, scratch / f"kept-{attempt}", subject)
    return InPlace(*times, put_back), chosen


def _loaded(path: Path, subject: Subject) -> CompiledModel:
    model = CompiledModel(path, subject.model.params, subject.place)
    model.bind(_arrays(subject))
    return model


def _arrays(subject: Subject) -> list[Any]:
    generator = np.random.default_rng(subject.seed)
    return [generator.standard_normal(one["shape"]).astype(one["dtype"]) for one in subject.inputs]


def _time_both(old: CompiledModel, new: CompiledModel) -> tuple[list[float], list[float]]:
    """Latencies in milliseconds, interleaved; one run each where the difference is large."""
    new.run()
    before, after = [_run_ms(old)], [_run_ms(new)]
    if before[0] < _LONG_MS:  # the first run of a short one is slower than others
        before = [_run_ms(old)]
    if before[0] >= _CLEARLY * after[0]:
        return before, after
    before.clear()
    after.clear()
    for _ in range(_ROUNDS):
        before.append(_run_ms(old))
        after.append(_run_ms(new))
    return before, after


def _run_ms(model: CompiledModel) -> float:
    return model.timed(1) * 1e3


def _slower(times: tuple[list[float], list[float]], significance: float) -> bool:
    before, after = times
    return len(before) > 1 and significantly_faster(before, after, significance)


def _offenders(before: Path, after: Path, subject: Subject, logger: logging.Logger) -> set[str]:
    """Tasks of the kernels that take longer in the second library than in the first.

    None where a device elsewhere tells of the whole model only.
    """
    old, new = (_profile(path, subject) for path in (before, after))
    of_function = _kernels_of_functions(subject)
    slower = set()
    for name, kernel in of_function.items():
        if name in old and name in new:
            logger.info("in place: %s %.1f us without, %.1f with", name, old[name], new[name])
            if new[name] > _SLOWER * old[name]:
                slower.add(kernel.task)
    return slower


def _profile(path: Path, subject: Subject) -> dict[str, float]:
    """Microseconds that each function takes in a run of the whole model, least of some runs."""
    model = _loaded(path, subject)
    least: dict[str, float] = {}
    for _ in range(_PROFILED_RUNS):
        for name, spent in model.function_times().items():
            least[name] = min(spent, least.get(name, spent))
    return least


def _kernels_of_functions(subject: Subject) -> dict[str, Kernel]:
    """Name of each function of the model that is a kernel to the kernel."""
    known = {kernel.workload: kernel for kernel in subject.kernels}
    found = {}
    for name, function in subject.model.module.functions_items():
        if type(function).__name__ != "PrimFunc":
            continue
        body = function.with_attr("global_symbol", "main")
        kernel = known.get(workload_hash({"main": body}))
        if kernel is not None:
            found[name.name_hint] = kernel
    return found


def _without(chosen: TuningLog, kernels: list[Kernel], folder: Path, subject: Subject) -> TuningLog:
    """A log with the schedules of all kernels but some."""
    left_out = {kernel.task for kernel in kernels}
    log = TuningLog(folder)
    for kernel in subject.kernels:
        if kernel.task in left_out:
            continue
        for record in chosen.best_records(kernel, 1):
            seconds = float(record.run_secs[0])
            log.commit(kernel, record.trace, seconds, subject.target, record.args_info)
    return log
