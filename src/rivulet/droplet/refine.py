"""Refine all kernels of a model within a budget of trials."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rivulet.droplet.kernel_descent import KernelDescent
from rivulet.droplet.ordering import ScheduleOrder
from rivulet.droplet.recording import RecordedBench
from rivulet.droplet.settings import DropletSettings
from rivulet.droplet.source import SourceKernel
from rivulet.errors import UserError
from rivulet.figures import microseconds, milliseconds
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import MeasuringBench
from rivulet.records import TuningLog
from rivulet.records.trials import why_nothing_ran

# A kernel's best schedules are raced beforehand where it takes this share of the model's latency.
_WORTH_A_RACE = 0.01


def refine_model(
    kernels: list[Kernel],
    target: Any,
    settings: DropletSettings,
    source: Mapping[str, SourceKernel],
    threads: int,
    log: TuningLog,
    bench: MeasuringBench,
    report: Callable[[int, str], None],
    logger: logging.Logger,
) -> list[KernelDescent]:
    """Descend from the best schedules of each kernel; record every measurement in ``log``.

    The next round goes to the kernel with the largest expected gain: its share of the model's
    latency, times what its rounds have gained lately. A ``log`` that holds trials already is
    continued.

    Args:
        kernels: The model's kernels.
        target: TVM target.
        settings: Budget and acceptance.
        source: What the log that is refined has of each kernel.
        threads: Threads for applying schedules; no kernel runs meanwhile.
        log: Where measurements go.
        bench: Measures candidates.
        report: Told the trials done and a line on how it stands.
        logger: Told of moves and failures.

    Returns:
        The descents, one per kernel.
    """
    recorded = RecordedBench(bench, log, logger)
    order = ScheduleOrder(source, target, settings.seed, threads)
    descents = [
        KernelDescent(k, source.get(k.task, SourceKernel()), target, settings, recorded, threads,
                      order, logger)
        for k in kernels
    ]  # fmt: skip
    if recorded.replaying:
        logger.info("running again on the %d measurements of the log", len(log.trials))
    if settings.trials:
        _choose_starts(descents, recorded)
    if not recorded.replaying:
        known = milliseconds(_known_ms(descents))
        report(recorded.measured, f"model {known}, the log's best in turns")
    while recorded.measured < settings.trials:
        chosen = max(descents, key=lambda d: d.worth, default=None)
        if chosen is None or chosen.worth <= 0:
            break
        began = time.monotonic()
        chosen.round(min(settings.neighbours_per_round, settings.trials - recorded.measured))
        _end_round(chosen, descents, recorded, time.monotonic() - began)
        if not recorded.replaying:
            report(recorded.measured, _standing(chosen, descents))
    for descent in descents:
        descent.settle()
        _end_round(descent, descents, recorded, 0.0)
    if problem := why_nothing_ran(log.trials, "candidates"):
        raise UserError(problem)
    return descents


def _choose_starts(descents: Sequence[KernelDescent], recorded: RecordedBench) -> None:
    """Race the best schedules of the kernels that the model spends its time in."""
    least = _WORTH_A_RACE * _known_ms(descents) * 1e-3
    for descent in sorted(descents, key=lambda d: -d.worth):
        if descent.begun is not None and descent.kernel.weight * descent.latency >= least:
            began = time.monotonic()
            descent.choose_start()
            _end_round(descent, descents, recorded, time.monotonic() - began)


def _end_round(
    chosen: KernelDescent, descents: Sequence[KernelDescent], recorded: RecordedBench, spent: float
) -> None:
    total = _model_ms(descents)
    best = chosen.latency
    recorded.end_round(
        f"{best * 1e6:.4f}" if math.isfinite(best) else "",
        f"{total:.6f}" if math.isfinite(total) else "",
        spent,
    )


def _standing(chosen: KernelDescent, descents: Sequence[KernelDescent]) -> str:
    return (
        f"{short_name(chosen.kernel.task)} best {microseconds(chosen.latency * 1e6)}, "
        f"moves: {chosen.moves} | model {milliseconds(_known_ms(descents))}"
    )


def _known_ms(descents: Sequence[KernelDescent]) -> float:
    """Latency of the kernels that the log has a schedule of."""
    return _model_ms([d for d in descents if d.begun is not None])


def _model_ms(descents: Sequence[KernelDescent]) -> float:
    return sum(d.kernel.weight * d.latency for d in descents) * 1e3
