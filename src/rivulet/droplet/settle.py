"""The last word on each kernel: winner and starting point measured again, and the log of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rivulet.droplet.kernel_descent import KernelDescent
from rivulet.droplet.settings import DropletSettings
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import MeasuringBench, WorkerFailure, logged_seconds
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import median, significantly_faster

_ROUNDS = 2  # in units of a race's first look, in each process
_PROCESSES = 2
_CONFIDENCE, _RESAMPLES = 0.95, 2000


@dataclass
class GainRow:
    """One kernel in ``gains.csv``.

    Attributes:
        kernel: Task name.
        weight: How often the model runs it.
        log_us: Latency of the log's best schedule as the log has it.
        start_us: The same, measured again beside the winner; empty where the descent found none.
        winner_us: Latency of the descent's winner; empty where it found none.
        gain: ``start_us`` over ``winner_us``.
        gain_low: Lower end of its interval.
        gain_high: Upper end.
        moves: Moves of the descent.
        trials: New candidates measured.
        ended: ``local optimum`` or ``budget``.
        taken: ``yes`` where the kernel takes the winner.
        reason: Why not.
    """

    kernel: str
    weight: int
    log_us: str = ""
    start_us: str = ""
    winner_us: str = ""
    gain: str = ""
    gain_low: str = ""
    gain_high: str = ""
    moves: int = 0
    trials: int = 0
    ended: str = ""
    taken: str = "no"
    reason: str = ""


@dataclass(frozen=True)
class Settled:
    """What a kernel takes.

    Attributes:
        descent: Its descent.
        row: Its row of the table.
        start: Seconds that the starting point takes by the last measurement; None where there was
            nothing to decide.
        winner: Seconds of the winner; None where the kernel keeps what it had.
    """

    descent: KernelDescent
    row: GainRow
    start: float | None = None
    winner: float | None = None


@dataclass
class _Final:
    """The last comparison of a kernel.

    Attributes:
        descent: Its descent.
        row: Its row of the table; its reason says why the winner is not taken.
        passes: The starting point's and the winner's samples in each process.
    """

    descent: KernelDescent
    row: GainRow
    passes: list[tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=list)


def settle_all(
    descents: Sequence[KernelDescent],
    settings: DropletSettings,
    bench: MeasuringBench,
    report: Callable[[str], None],
    *,
    logger: logging.Logger,
) -> list[Settled]:
    """Decide for each kernel whether it takes what its descent has found.

    The gain that counts is not the one that was seen on the way: winner and starting point are
    compared on equal inputs and measured once more, in turns, in two new processes. The winner is
    taken if its output is right, it is significantly faster still, and slower in neither.

    Args:
        descents: The descents.
        settings: Acceptance.
        bench: Measures schedules.
        report: Told of each kernel that got faster.
        logger: Told of samples and failures.
    """
    finals = [_begin(descent) for descent in descents]
    undecided = [one for one in finals if not one.row.reason]
    for one in undecided:
        one.row.reason = _objection_to_output(one.descent, settings, bench)
    for number in range(_PROCESSES):
        undecided = [one for one in undecided if not one.row.reason]
        if undecided:
            bench.renew()
        for one in undecided:
            one.row.reason = _measure(one, number, settings, bench, logger=logger)
    return [_end(one, settings, report, logger) for one in finals]


def kernels_without_start(settled: Sequence[Settled]) -> list[str]:
    """A line on each kernel that could not be refined, and why."""
    return [
        f"{short_name(one.row.kernel)} keeps its default loops: {one.row.reason}"
        for one in settled
        if one.descent.begun is None
    ]


def _begin(descent: KernelDescent) -> _Final:
    row = GainRow(
        descent.kernel.task, descent.kernel.weight, moves=descent.moves, trials=descent.trials,
        ended="local optimum" if descent.finished else "budget",
    )  # fmt: skip
    if descent.begun is None:
        row.ended, row.reason = "", "the log has no schedule of it that can be applied"
        return _Final(descent, row)
    row.log_us = f"{descent.log_latency * 1e6:.4f}"
    if descent.best is descent.begun:
        row.reason = "nothing was significantly faster"
    return _Final(descent, row)


def _objection_to_output(
    descent: KernelDescent, settings: DropletSettings, bench: MeasuringBench
) -> str:
    (checked,) = bench.compare([descent.best.mod], [descent.begun.mod], settings.seed)
    if isinstance(checked, WorkerFailure):
        return f"the output check failed: {checked}"
    if not checked.error <= settings.tolerance:
        return f"the output differs from that of the log's best by {checked.error:.1e}"
    return ""


def _measure(
    one: _Final,
    number: int,
    settings: DropletSettings,
    bench: MeasuringBench,
    *,
    logger: logging.Logger,
) -> str:
    """Measure both in this process; returns an objection, or nothing."""
    pair = [one.descent.begun.mod, one.descent.best.mod]
    start, winner = bench.measure_interleaved(
        pair, _ROUNDS * settings.confirm_repeats, settings.seed + number
    )
    logger.info("%s start %s winner %s", one.row.kernel, start.samples, winner.samples)
    if winner.error or start.error:
        return winner.error or start.error
    one.passes.append((start.samples, winner.samples))
    if winner.latency >= start.latency:
        return "measured again, it is not faster"
    starts, winners = _pooled(one)
    if not significantly_faster(winners, starts, settings.significance):
        return "measured again, it is not significantly faster"
    return ""


def _pooled(one: _Final) -> tuple[list[float], list[float]]:
    """Samples of all processes, in units of the starting point's median in each."""
    starts: list[float] = []
    winners: list[float] = []
    for start, winner in one.passes:
        unit = median(start)
        starts += [sample / unit for sample in start]
        winners += [sample / unit for sample in winner]
    return starts, winners


def _end(
    one: _Final,
    settings: DropletSettings,
    report: Callable[[str], None],
    logger: logging.Logger,
) -> Settled:
    row = one.row
    if not one.passes:
        return Settled(one.descent, row)
    starts, winners = _pooled(one)
    gain = latency_ratio(
        [KernelSamples(1, starts, winners)], _CONFIDENCE, _RESAMPLES, settings.seed
    )
    row.gain, row.gain_low, row.gain_high = (
        f"{value:.4f}" for value in (gain.value, gain.low, gain.high)
    )
    before = median([sample for start, _ in one.passes for sample in start])
    (before, after) = logged_seconds((before, before / gain.value))
    row.start_us, row.winner_us = f"{before * 1e6:.4f}", f"{after * 1e6:.4f}"
    if row.reason:
        logger.info("%s keeps its schedule: %s", row.kernel, row.reason)
        return Settled(one.descent, row, before)
    row.taken = "yes"
    report(
        f"{short_name(row.kernel)}: {row.gain}x ({row.gain_low}-{row.gain_high}) faster than the "
        "log's best"
    )
    return Settled(one.descent, row, before, after)
