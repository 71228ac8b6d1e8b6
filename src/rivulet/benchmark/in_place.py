"""Is a model right with its new schedules, and faster? And if not, which ones are to blame?

Outputs are checked for the whole model at once: a kernel that is wrong makes the model wrong. And a
kernel is measured alone, while in its model caches hold what the kernel before it left, so that a
schedule may win alone and lose in place.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.untuned import Subject, Untuned
from rivulet.figures import milliseconds
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.statistics import median, significantly_faster
from rivulet.records import TuningLog

# One look is enough where the model is so many times faster; not for models so quick that the
# clock's callbacks count.
_CLEARLY = 2.0
_QUICK_MS = 5.0
# A model so slow without schedules is not run again where it took longer at all.
_LONG_MS, _LONGER = 1000.0, 1.2
_ROUNDS = 8
_PROFILED_RUNS = 3
_SLOWER = 1.05
_ATTEMPTS = 3

_numbers = itertools.count()


@dataclass
class InPlace:
    """What a whole model with and without its new schedules showed.

    Attributes:
        error: Largest relative error of its output with them.
        right: Whether that is within the tolerance; nothing else is known if it is not.
        before_ms: Latencies without them.
        after_ms: Latencies with those that are kept.
        put_back: Tasks of kernels that got their default schedule back.
        compile_seconds: Time spent on compiling.
        proof_seconds: Time spent on the output.
        timing_seconds: Time spent on latencies.
    """

    error: float = 0.0
    right: bool = True
    before_ms: list[float] = field(default_factory=list)
    after_ms: list[float] = field(default_factory=list)
    put_back: list[str] = field(default_factory=list)
    compile_seconds: float = 0.0
    proof_seconds: float = 0.0
    timing_seconds: float = 0.0


def prove_in_place(
    subject: Subject,
    untuned: Untuned,
    chosen: TuningLog,
    scratch: Path,
    *,
    library: Path,
    say: Callable[[str], None],
    logger: logging.Logger,
) -> tuple[InPlace, TuningLog]:
    """Compile a model with new schedules, and put back what makes it slower than without.

    Args:
        subject: The model.
        untuned: What a run of the model without the schedules has told.
        chosen: The schedules.
        scratch: Folder for logs of fewer schedules, and for libraries; on the disk of ``library``.
        library: Where the compiled model with the schedules that are kept goes.
        say: Told what is put back.
        logger: Told of times.

    Returns:
        What was found, and the log of the schedules that are kept.
    """
    found = InPlace()
    for attempt in range(_ATTEMPTS + 1):
        clock = time.monotonic()
        new = _compiled(subject, chosen, scratch, library)
        found.compile_seconds += _since(clock)
        clock = time.monotonic()
        new.run()
        found.error = largest_relative_error(new.outputs(), untuned.outputs)
        found.right = found.error <= subject.tolerance
        found.proof_seconds += _since(clock)
        logger.info("in place: relative error of the output %.2e", found.error)
        if not found.right:
            break
        clock = time.monotonic()
        found.before_ms, found.after_ms = _time_both(subject, untuned, new)
        logger.info("in place: without %s ms, with %s ms", found.before_ms, found.after_ms)
        taken = [kernel for kernel in subject.kernels if chosen.best_records(kernel, 1)]
        slower = taken and _slower(found, subject.significance)
        if slower:
            offenders = _offenders(subject, untuned, new, taken, logger=logger)
            if not offenders or attempt >= _ATTEMPTS - 1:
                offenders = taken
        found.timing_seconds += _since(clock)
        if not slower:
            break
        found.put_back += [kernel.task for kernel in offenders]
        with_new, without = (milliseconds(median(m)) for m in (found.after_ms, found.before_ms))
        say(
            f"the whole model is slower with the schedules ({with_new}) than without ({without}); "
            "put back: " + ", ".join(short_name(kernel.task) for kernel in offenders)
        )
        chosen = _without(chosen, offenders, scratch / f"kept-{attempt}", subject)
    return found, chosen


def _compiled(subject: Subject, chosen: TuningLog, scratch: Path, library: Path) -> CompiledModel:
    """Compile the model with some schedules, and load it."""
    scratch.mkdir(parents=True, exist_ok=True)
    # Each has a name of its own: of two libraries with one name this process would get the first.
    path = scratch / f"model-{os.getpid()}-{next(_numbers)}.so"
    compile_model(subject.model, subject.target, chosen, path, linker=subject.linker)
    model = subject.loaded(path)
    path.replace(library)
    return model


def _since(clock: float) -> float:
    return time.monotonic() - clock


def _time_both(
    subject: Subject, untuned: Untuned, new: CompiledModel
) -> tuple[list[float], list[float]]:
    """Latencies in milliseconds, interleaved; what is known is enough where one is far faster."""
    once = min(_run_ms(new), _run_ms(new))
    clearly = _LONGER if untuned.latency_ms >= _LONG_MS else _CLEARLY
    if untuned.cut or untuned.latency_ms >= max(_QUICK_MS, clearly * once):
        return [untuned.latency_ms], [once]
    old = subject.loaded(untuned.library)
    old.run()
    rounds = [(_run_ms(old), _run_ms(new)) for _ in range(_ROUNDS)]
    return [a for a, _ in rounds], [b for _, b in rounds]


def _run_ms(model: CompiledModel) -> float:
    return model.timed(1) * 1e3


def _slower(found: InPlace, significance: float) -> bool:
    before, after = found.before_ms, found.after_ms
    return len(before) > 1 and significantly_faster(before, after, significance)


def _offenders(
    subject: Subject,
    untuned: Untuned,
    after: CompiledModel,
    taken: list[Kernel],
    *,
    logger: logging.Logger,
) -> list[Kernel]:
    """The kernels that take longer with their schedule than without.

    None where a device elsewhere tells of the whole model only.
    """
    old, new = _profile(subject.loaded(untuned.library)), _profile(after)
    slower = set()
    for name, kernel in subject.kernels_of_functions().items():
        if name in old and name in new:
            logger.info("in place: %s %.1f us without, %.1f with", name, old[name], new[name])
            if new[name] > _SLOWER * old[name]:
                slower.add(kernel.task)
    return [kernel for kernel in taken if kernel.task in slower]


def _profile(model: CompiledModel) -> dict[str, float]:
    """Microseconds that each function takes in a run of the whole model, least of some runs."""
    least: dict[str, float] = {}
    for _ in range(_PROFILED_RUNS):
        for name, spent in model.function_times().items():
            least[name] = min(spent, least.get(name, spent))
    return least


def _without(chosen: TuningLog, kernels: list[Kernel], folder: Path, subject: Subject) -> TuningLog:
    """A log with the schedules of all kernels but some."""
    left_out = {kernel.task for kernel in kernels}
    log = TuningLog(folder)
    for kernel in subject.kernels:
        if kernel.task in left_out:
            continue
        for record in chosen.best_records(kernel, 1):
            seconds = float(record.run_secs[0])
            log.commit(kernel, record.trace, seconds, subject.target, arguments=record.args_info)
    log.append([])
    return log
