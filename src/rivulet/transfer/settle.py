"""Which schedule a kernel takes: the fastest of its candidates, where it beats the default."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

from rivulet.measure.protocol import Measurement, MeasuringBench
from rivulet.measure.statistics import significantly_faster
from rivulet.transfer.case import Case, Tried

_FINALISTS = 3
_CLOSE = 1.05  # candidates within this of the fastest may be the fastest
_LOOKS = 2  # a race's samples are taken in so many parts; what one shows is not looked at again
# A kernel of a smaller share of the model is not raced for: the winner of a close race gains a few
# percent of that, and what is gained by its default loops or lost shows in no model.
_WORTH_A_RACE = 0.01
_TOO_SMALL = 0.001
# By so much a default schedule has to be slower, by one run within the model, to be no rival. What
# a short run takes is in part the start of threads, and the clock.
_LONG = 1e-3  # seconds
_FAR = 2.0
_FAR_SHORT = 5.0
_SHORTEST = 50e-6  # seconds
# The clock within the model adds to a run: what is faster there than the candidate alone is faster.
_BEHIND = 1.5
# Loops of which a race would take longer are not run again: the one run has to be slower for sure.
_LONGEST_RACE = 1.0  # seconds
# By so much samples have to be apart that were not taken in turns, and so many of each it takes.
_SURE = 1.2
_LEAST_SAMPLES = 3


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
        """Samples of each schedule in a race."""

    @property
    def tolerance(self) -> float:
        """Largest relative error of an output that counts as right."""


def settle(
    cases: Sequence[Case], model_seconds: float, settings: Acceptance, bench: MeasuringBench
) -> set[int]:
    """Decide for each kernel; a candidate is taken if it is faster than the default schedule.

    Schedules are raced, sampled in turns, only where what is known leaves it open who is faster:
    candidates whose samples overlap with those of the fastest, and the default schedule where it
    is neither slower by far nor by samples of its own. Outputs are not looked at here: that is done
    for the whole model at once.

    Args:
        cases: The kernels.
        model_seconds: Sum of what the model's kernels take by now, which tells what is small.
        settings: Limits.
        bench: Measures schedules.

    Returns:
        ``id`` of each `Tried` that was measured again.
    """
    raced: set[int] = set()
    for case in cases:
        if _share(case, case.ranked, model_seconds) >= _WORTH_A_RACE:
            raced |= _race(case, settings, bench)
    for case in cases:
        if _is_small(case, model_seconds):
            case.kept_because = "the kernel is too small a part of the model to be worth a proof"
    _measure_rivals([case for case in cases if not case.kept_because], settings, bench)
    for case in cases:
        best = case.ranked[0] if case.ranked and not case.kept_because else None
        if best is not None and beats_default(best, case.default, settings, bench, raced=raced):
            case.winner = best
        case.settled = True
        case.taken.row.chosen = "yes"
    return raced


def beats_default(
    one: Tried, default: Tried, settings: Acceptance, bench: MeasuringBench, *, raced: set[int]
) -> bool:
    """Is a candidate faster than the default schedule, by far or in a race?

    Args:
        one: The candidate, which ran.
        default: The default schedule, of which something is known.
        settings: Limits.
        bench: Measures schedules.
        raced: Gets the ``id`` of each that was measured again.
    """
    faster = _by_far(one, default, settings)
    if faster is None:
        faster = _apart(one.result.samples, default.result.samples)
    if faster is None:
        raced |= {id(one), id(default)}
        faster = _wins(one, default, settings, bench)
    return faster


def _by_far(one: Tried, default: Tried, settings: Acceptance) -> bool | None:
    """Is a candidate faster, by what one run of the default schedule tells? None for open."""
    if not default.result.samples:
        return True  # it does not run, or not within the time limit
    ours, theirs = one.result.latency, default.result.latency
    if theirs * _BEHIND <= ours:
        return False
    if theirs >= _SHORTEST and theirs >= (_FAR if theirs >= _LONG else _FAR_SHORT) * ours:
        return True
    if theirs * settings.confirm_repeats > _LONGEST_RACE:
        return theirs >= _SURE * ours
    return None


def _apart(ours: Sequence[float], theirs: Sequence[float]) -> bool | None:
    """Are samples faster that were taken apart from the others? None where that is open."""
    if min(len(ours), len(theirs)) < _LEAST_SAMPLES:
        return None
    if max(ours) * _SURE <= min(theirs):
        return True
    return False if max(theirs) * _SURE <= min(ours) else None


def _share(case: Case, ran: Sequence[Tried], model_seconds: float) -> float:
    """Largest share of the model's time that the fastest of some schedules has."""
    if not ran or not model_seconds:
        return 0.0
    return case.kernel.weight * ran[0].result.latency / model_seconds


def _race(case: Case, settings: Acceptance, bench: MeasuringBench) -> set[int]:
    """Race candidates until the fastest has no rival that was not in a race with it."""
    raced: set[int] = set()
    # Where the second look shows all of them slower, another one is the fastest by its first look,
    # which may have been just as lucky.
    while (rivals := _rivals(case)) and not {id(one) for one in rivals} <= raced:
        samples = bench.measure_interleaved(
            [one.schedule.mod for one in rivals], settings.confirm_repeats, settings.seed
        )
        for one, result in zip(rivals, samples, strict=True):
            one.take(result)
        raced |= {id(one) for one in rivals}
    return raced


def _rivals(case: Case) -> list[Tried]:
    """The fastest candidate and those that may be as fast; none where it stands alone."""
    ranked = case.ranked
    if not ranked:
        return []
    slowest = max(max(ranked[0].result.samples), ranked[0].result.latency * _CLOSE)
    rivals = [one for one in ranked if min(one.result.samples) <= slowest][:_FINALISTS]
    return rivals if len(rivals) > 1 else []


def _is_small(case: Case, model_seconds: float) -> bool:
    """Is a kernel too small a part of the model, with its default loops as with the fastest?"""
    if not case.ranked or not case.default.measured:
        return False
    slower = max([case.ranked[0], case.default], key=lambda one: one.result.latency)
    return _share(case, [slower], model_seconds) < _TOO_SMALL


def _measure_rivals(cases: Sequence[Case], settings: Acceptance, bench: MeasuringBench) -> None:
    """Measure the default schedules that may be rivals, and those of which nothing is known."""
    rivals = [
        case
        for case in cases
        if not case.default.measured
        or (case.ranked and _by_far(case.ranked[0], case.default, settings) is None)
    ]
    # What is slower by far is looked at once.
    fastest: dict[Hashable, float] = {
        place: case.ranked[0].result.latency for place, case in enumerate(rivals) if case.ranked
    }
    results = bench.measure(
        [case.default.schedule.mod for case in rivals], fastest, range(len(rivals))
    )
    for case, result in zip(rivals, results, strict=True):
        case.default.take(result)


def _wins(one: Tried, default: Tried, settings: Acceptance, bench: MeasuringBench) -> bool:
    """Race a candidate against the default schedule; the race ends as soon as it is decided."""
    rounds = max(1, settings.confirm_repeats // _LOOKS)
    level = settings.significance / _LOOKS
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    for look in range(_LOOKS):
        results = bench.measure_interleaved(
            [one.schedule.mod, default.schedule.mod], rounds, settings.seed + look
        )
        mine, its = results
        if mine.error or its.error:
            one.take(mine)
            default.take(its)
            return bool(mine.samples)
        ours, theirs = ours + mine.samples, theirs + its.samples
        faster = significantly_faster(ours, theirs, level)
        if faster or significantly_faster(theirs, ours, level):
            break
    one.take(Measurement(ours, "", mine.build_seconds, mine.run_seconds))
    default.take(Measurement(theirs, "", its.build_seconds, its.run_seconds))
    return faster
