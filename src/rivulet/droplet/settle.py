"""The last word on each kernel: winner and starting point measured again, and the log of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.droplet.kernel_descent import KernelDescent
from rivulet.droplet.settings import DropletSettings
from rivulet.measure.protocol import Measurement, MeasuringBench, WorkerFailure
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import significantly_faster

_ROUNDS = 2  # in units of a race's first look
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
        start: The starting point's last measurement; None where there was nothing to decide.
        winner: The winner's; None where the kernel keeps what it had.
    """

    descent: KernelDescent
    row: GainRow
    start: Measurement | None = None
    winner: Measurement | None = None


def settle_all(
    descents: Sequence[KernelDescent],
    settings: DropletSettings,
    bench: MeasuringBench,
    report: Callable[[str], None],
    logger: logging.Logger,
) -> list[Settled]:
    """Decide for each kernel whether it takes what its descent has found.

    The gain that counts is not the one that was seen on the way: winner and starting point are
    compared on equal inputs and measured once more, in turns. The winner is taken if its output
    is right and it is significantly faster still.

    Args:
        descents: The descents.
        settings: Acceptance.
        bench: Measures schedules.
        report: Told of each kernel that got faster.
        logger: Told of samples and failures.
    """
    return [_settle(descent, settings, bench, report, logger) for descent in descents]


def _settle(
    descent: KernelDescent,
    settings: DropletSettings,
    bench: MeasuringBench,
    report: Callable[[str], None],
    logger: logging.Logger,
) -> Settled:
    row = GainRow(
        descent.kernel.task, descent.kernel.weight, moves=descent.moves, trials=descent.trials,
        ended="local optimum" if descent.finished else "budget",
    )  # fmt: skip
    if descent.begun is None:
        row.ended, row.reason = "", "the log has no schedule of it that can be applied"
        return Settled(descent, row)
    row.log_us = f"{descent.log_latency * 1e6:.4f}"
    if descent.best is descent.begun:
        row.reason = "nothing was significantly faster"
        return Settled(descent, row)
    pair = [descent.begun.mod, descent.best.mod]
    (checked,) = bench.compare(pair[1:], pair[:1], settings.seed)
    start, winner = bench.measure_interleaved(
        pair, _ROUNDS * settings.confirm_repeats, settings.seed
    )
    logger.info("%s start %s winner %s", row.kernel, start.samples, winner.samples)
    row.reason = _objection(checked, start, winner, settings)
    if start.samples and winner.samples:
        _describe(row, start, winner, settings)
    if row.reason:
        logger.info("%s keeps its schedule: %s", row.kernel, row.reason)
        return Settled(descent, row, start)
    row.taken = "yes"
    report(f"{row.kernel}: {row.gain}x ({row.gain_low}-{row.gain_high}) faster than the log's best")
    return Settled(descent, row, start, winner)


def _objection(
    checked: Any, start: Measurement, winner: Measurement, settings: DropletSettings
) -> str:
    """Why the winner is not taken; empty where it is."""
    if isinstance(checked, WorkerFailure):
        return f"the output check failed: {checked}"
    if not checked.error <= settings.tolerance:
        return f"the output differs from that of the log's best by {checked.error:.1e}"
    if winner.error or start.error:
        return winner.error or start.error
    if not significantly_faster(winner.samples, start.samples, settings.significance):
        return "measured again, it is not significantly faster"
    return ""


def _describe(
    row: GainRow, start: Measurement, winner: Measurement, settings: DropletSettings
) -> None:
    row.start_us, row.winner_us = f"{start.latency * 1e6:.4f}", f"{winner.latency * 1e6:.4f}"
    both = KernelSamples(1, start.samples, winner.samples)
    gain = latency_ratio([both], _CONFIDENCE, _RESAMPLES, settings.seed)
    row.gain, row.gain_low, row.gain_high = (
        f"{value:.4f}" for value in (gain.value, gain.low, gain.high)
    )
