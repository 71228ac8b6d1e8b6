"""Coordinate descent over the decisions of each kernel's best schedule.

After Canesche et al., "The Droplet Search Algorithm for Kernel Scheduling" (ACM TACO, 2024):
walk along one coordinate at a time from a good schedule, and move only where the challenger is
significantly faster.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rivulet.droplet.neighbours import all_steps
from rivulet.kernels import Kernel
from rivulet.measure.protocol import Measurement, MeasuringBench
from rivulet.measure.statistics import significantly_faster
from rivulet.records import Trial, TuningLog
from rivulet.records.log import record_latency
from rivulet.records.trials import samples_text
from rivulet.tvm_compat.arguments import argument_infos
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import (
    Postprocessing,
    ReplayFailure,
    decisions,
    replay,
    with_values,
)

STRATEGY = "droplet"
CONFIRM = "droplet-confirm"
_CHALLENGERS = 2  # of a round's neighbours, how many are measured again against the incumbent
_PATIENCE = 0.5  # how much less a kernel is worth after a round without a gain


@dataclass(frozen=True)
class DropletSettings:
    """The config's ``droplet`` settings."""

    seed: int
    trials: int
    significance: float
    confirm_repeats: int
    neighbours_per_round: int


@dataclass
class _Walk:
    """Where the descent of one kernel stands."""

    kernel: Kernel
    postprocessing: Postprocessing
    schedule: Any
    latency: float
    visited: set[str] = field(default_factory=set)
    left: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    idle_rounds: int = 0
    moves: int = 0

    @property
    def worth(self) -> float:
        """Expected gain of another round: share of the model's time, less after idle rounds."""
        if not self.left:
            return 0.0
        return self.kernel.weight * self.latency * _PATIENCE**self.idle_rounds


def refine_model(
    kernels: list[Kernel],
    target: Any,
    settings: DropletSettings,
    source: TuningLog,
    log: TuningLog,
    bench: MeasuringBench,
    report: Callable[[int, str], None],
    logger: logging.Logger,
) -> None:
    """Refine the best schedule of each kernel in ``source``; record the walk in ``log``.

    A ``log`` that holds trials already is continued.

    Args:
        kernels: The model's kernels.
        target: TVM target.
        settings: Budget and acceptance.
        source: Log whose best schedules are the starting points.
        log: Where trials and accepted schedules go.
        bench: Measures candidates.
        report: Told the trials done and a line on how it stands.
        logger: Told of moves.
    """
    generator = random.Random(settings.seed + len(log.trials))
    started, before = time.monotonic(), log.elapsed()
    measured = sum(trial.strategy == STRATEGY for trial in log.trials)
    batch = max((trial.batch for trial in log.trials), default=0)
    walks = [w for k in kernels if (w := _start(k, target, source, log, generator)) is not None]
    while measured < settings.trials and walks:
        walk = max(walks, key=lambda w: w.worth)
        if walk.worth <= 0:
            break
        batch += 1
        size = min(settings.neighbours_per_round, settings.trials - measured)
        began = time.monotonic()
        candidates = _candidates(walk, size)
        propose_s = (time.monotonic() - began) / max(1, len(candidates))
        if not candidates:
            continue
        moves = walk.moves
        rows = _round(walk, candidates, target, settings, log, bench, logger, batch)
        elapsed = before + time.monotonic() - started
        total = sum(w.kernel.weight * w.latency for w in walks) * 1e3
        model_ms = f"{total:.6f}" if len(walks) == len(kernels) else ""
        log.append(
            [
                _row(log, number, elapsed, batch, propose_s, walk, model_ms, *row)
                for number, row in enumerate(rows, 1)
            ]
        )
        if walk.moves > moves:
            walk.left = _neighbourhood(walk, generator)
        measured += len(candidates)
        report(
            measured,
            f"{walk.kernel.task} best {walk.latency * 1e6:.1f} us, {walk.moves} move(s) | "
            f"model {total:.3f} ms",
        )


def _start(
    kernel: Kernel, target: Any, source: TuningLog, log: TuningLog, generator: random.Random
) -> _Walk | None:
    """The walk of a kernel from its best schedule; None when it has none that can be replayed."""
    records = log.best_records(kernel, 1) or source.best_records(kernel, 1)
    if not records:
        return None
    postprocessing = Postprocessing(kernel.module, target)
    try:
        schedule = replay(kernel.module, records[0].trace, postprocessing)
    except ReplayFailure:
        return None
    walk = _Walk(kernel, postprocessing, schedule, record_latency(records[0]))
    walk.visited = {t.candidate for t in log.trials if t.kernel == kernel.task}
    walk.visited |= {t.candidate for t in source.trials if t.kernel == kernel.task}
    walk.visited.add(candidate_name(schedule.mod))
    walk.left = _neighbourhood(walk, generator)
    return walk


def _neighbourhood(walk: _Walk, generator: random.Random) -> list[tuple[int, tuple[int, ...]]]:
    unit_steps = all_steps(decisions(walk.schedule.trace))
    generator.shuffle(unit_steps)
    return unit_steps


def _candidates(walk: _Walk, size: int) -> list[Any]:
    """Take steps off the walk's list until ``size`` new, valid schedules are at hand."""
    found: list[Any] = []
    while walk.left and len(found) < size:
        index, value = walk.left.pop()
        trace = with_values(walk.schedule.trace, {index: value})
        try:
            schedule = replay(walk.kernel.module, trace, walk.postprocessing)
        except ReplayFailure:
            continue
        name = candidate_name(schedule.mod)
        if name not in walk.visited:
            walk.visited.add(name)
            found.append(schedule)
    return found


def _round(
    walk: _Walk,
    candidates: list[Any],
    target: Any,
    settings: DropletSettings,
    log: TuningLog,
    bench: MeasuringBench,
    logger: logging.Logger,
    batch: int,
) -> list[tuple[str, Any, Measurement]]:
    """Measure neighbours beside the incumbent and move when one is significantly faster."""
    results = bench.measure([s.mod for s in (walk.schedule, *candidates)])
    rows = [(CONFIRM, walk.schedule, results[0])]
    rows += [(STRATEGY, c, r) for c, r in zip(candidates, results[1:], strict=True)]
    incumbent = results[0].latency
    ranked = sorted(zip(candidates, results[1:], strict=True), key=lambda pair: pair[1].latency)
    challengers = [c for c, r in ranked[:_CHALLENGERS] if r.latency < incumbent]
    walk.idle_rounds += 1
    if not challengers:
        return rows
    again = bench.measure_interleaved(
        [s.mod for s in (walk.schedule, *challengers)], settings.confirm_repeats, batch
    )
    rows += [(CONFIRM, s, r) for s, r in zip((walk.schedule, *challengers), again, strict=True)]
    if not again[0].samples:
        return rows
    fastest = min(range(1, len(again)), key=lambda i: again[i].latency)
    winner = again[fastest]
    if winner.samples and significantly_faster(
        winner.samples, again[0].samples, settings.significance
    ):
        logger.info(
            "%s: move from %.2f to %.2f us", walk.kernel.task,
            again[0].latency * 1e6, winner.latency * 1e6,
        )  # fmt: skip
        # Relative to the incumbent's time of the same minute: moves are measured at different
        # times, and a machine that slowed down must not make an earlier move seem the best.
        walk.latency *= winner.latency / again[0].latency
        walk.schedule = challengers[fastest - 1]
        walk.idle_rounds = 0
        walk.moves += 1
        arguments = argument_infos(walk.schedule.mod)
        log.commit(walk.kernel, walk.schedule.trace, walk.latency, target, arguments)
    return rows


def _row(
    log: TuningLog,
    number: int,
    elapsed: float,
    batch: int,
    propose_s: float,
    walk: _Walk,
    model_ms: str,
    strategy: str,
    schedule: Any,
    result: Measurement,
) -> Trial:
    return Trial(
        trial=len(log.trials) + number,
        elapsed_s=round(elapsed, 3),
        kernel=walk.kernel.task,
        batch=batch,
        strategy=strategy,
        candidate=candidate_name(schedule.mod),
        propose_s=round(propose_s, 4),
        build_s=round(result.build_seconds, 4),
        run_s=round(result.run_seconds, 4),
        samples_us=samples_text(result.samples),
        error=result.error,
        best_us=f"{walk.latency * 1e6:.4f}" if math.isfinite(walk.latency) else "",
        model_ms=model_ms,
    )
