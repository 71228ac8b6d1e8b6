"""Which schedule a kernel takes: measured again, proven faster, and with the right output."""

from __future__ import annotations

import logging
from typing import Protocol

from rivulet.measure.protocol import (
    Measurement,
    MeasuringBench,
    WorkerFailure,
    logged_seconds,
)
from rivulet.measure.statistics import significantly_faster
from rivulet.transfer.case import Case, Tried

_FINALISTS = 3
_CLOSE = 1.05  # candidates within this of the fastest may be the fastest
# The default needs no second look where a single run of it was this many times slower.
_FAR = 5.0
_LONG = 1e-3  # seconds; of a shorter run much is the start of threads and the touching of memory


class Acceptance(Protocol):
    """The settings that decide what is taken; `TransferSettings` has them."""

    @property
    def seed(self) -> int:
        """Seed of inputs and of the order of samples."""

    @property
    def significance(self) -> float:
        """p-value below which faster counts as faster."""

    @property
    def confirm_repeats(self) -> int:
        """Samples of each finalist."""

    @property
    def tolerance(self) -> float:
        """Largest relative error of an output that counts as right."""


def settle(
    cases: list[Case], settings: Acceptance, bench: MeasuringBench, logger: logging.Logger
) -> set[int]:
    """Decide for each kernel; a candidate is taken if it is faster still and right.

    The fastest of several candidates is on average slower than it seemed, because luck helped to
    make it the fastest. So it and those close to it are measured again, interleaved. Then the
    fastest is run beside the default schedule: its output has to be the same, and where the
    default is not slower by far, both are measured again, against each other.

    Returns:
        ``id`` of each `Tried` that was measured again.
    """
    confirmed: set[int] = set()
    for case in cases:
        confirmed |= _confirm(case, settings, bench)
    undecided = [case for case in cases if case.ranked]
    # Nearly always the fastest is right, so the fastest of all kernels are checked together.
    place = 0
    while undecided:
        pairs = [(case, case.ranked[place]) for case in undecided]
        _check(pairs, settings, bench, logger)
        for case, one in pairs:
            if one.row.correct == "yes" and _faster(one, case.default, settings, bench):
                case.winner = one
        place += 1
        undecided = [
            case for case, one in pairs if one.row.correct != "yes" and place < len(case.ranked)
        ]
    unknown = [case.default for case in cases if not case.default.measured]
    for one, result in zip(
        unknown, bench.measure([one.schedule.mod for one in unknown]), strict=True
    ):
        one.take(result)
    for case in cases:
        case.settled = True
        case.taken.row.chosen = "yes"
    return confirmed


def _confirm(case: Case, settings: Acceptance, bench: MeasuringBench) -> set[int]:
    """Measure again until the fastest is one that was; returns the ``id`` of each that was."""
    confirmed: set[int] = set()
    # Where the second look shows all of them slower, another one is the fastest by its first look,
    # which may have been just as lucky.
    while (ranked := case.ranked) and id(ranked[0]) not in confirmed:
        best = ranked[0].result.latency
        group = [one for one in ranked if one.result.latency <= best * _CLOSE][:_FINALISTS]
        _measure_again(group, settings, bench)
        confirmed |= {id(one) for one in group}
    return confirmed


def _measure_again(group: list[Tried], settings: Acceptance, bench: MeasuringBench) -> None:
    results = bench.measure_interleaved(
        [one.schedule.mod for one in group], settings.confirm_repeats, settings.seed
    )
    for one, result in zip(group, results, strict=True):
        one.take(result)


def _check(
    pairs: list[tuple[Case, Tried]],
    settings: Acceptance,
    bench: MeasuringBench,
    logger: logging.Logger,
) -> None:
    """Compare candidates' outputs with those of their kernels' default schedules.

    The run of the default schedule is timed on the way: enough to tell whether it is far slower.
    """
    seen = bench.compare(
        [one.schedule.mod for _, one in pairs],
        [case.default.schedule.mod for case, _ in pairs],
        settings.seed,
    )
    for (case, one), found in zip(pairs, seen, strict=True):
        if isinstance(found, WorkerFailure):
            one.row.correct, one.row.reason = "no", f"the output check failed: {found}"
        else:
            one.row.correct = "yes" if found.error <= settings.tolerance else "no"
            one.row.max_rel_error = f"{found.error:.2e}"
            if one.row.correct == "no":
                one.row.reason = "the output differs from the default schedule's"
            far = found.reference_seconds >= max(_LONG, _FAR * found.seconds)
            if not case.default.measured and far:
                sample = logged_seconds([found.reference_seconds])
                case.default.take(Measurement(sample, "", 0.0, found.reference_seconds))
        if one.row.reason:
            logger.warning("%s: %s %s", case.kernel.task, one.row.reason, one.row.max_rel_error)


def _faster(one: Tried, default: Tried, settings: Acceptance, bench: MeasuringBench) -> bool:
    """Is a candidate faster than the default, by far or by samples taken side by side?"""
    if default.measured and not default.result.samples:
        return True
    if default.measured and default.result.latency >= _FAR * one.result.latency:
        return True
    _measure_again([one, default], settings, bench)
    if not one.result.samples or not default.result.samples:
        return bool(one.result.samples)
    return significantly_faster(one.result.samples, default.result.samples, settings.significance)
