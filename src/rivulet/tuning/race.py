"""Is a challenger faster than the incumbent? Decided on fresh samples, taken in turns; no TVM."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rivulet.measure.protocol import Measurement
from rivulet.measure.statistics import median, significantly_faster

Sample = Callable[[list[int], int], list[Measurement]]
"""Times contestants (the incumbent is 0) in turns: their numbers, and the samples of each."""

# Samples of each after every look, in units of the first look's.
_LOOKS = (1, 2, 4)
# A challenger that is not even at this level faster is dropped, the others are looked at again.
_NEAR = 0.25
# Failures of a whole batch before its challengers are given up.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """How a race ended.

    Attributes:
        winner: Number of the challenger that is faster, from 1; None where none is.
        ratio: Its median over the incumbent's; 1 without a winner.
    """

    winner: int | None = None
    ratio: float = 1.0


def race(
    sample: Sample,
    challengers: int,
    significance: float,
    repeats: int,
    *,
    logger: logging.Logger | None = None,
) -> Outcome:
    """Race challengers against the incumbent.

    All are timed in turns, one sample of each per round, so that a disturbance meets all of them.
    A challenger wins by a one-sided Mann-Whitney U test on the samples of this race alone: those
    by which it was picked would favour it. Near misses get more samples, up to four times as many.
    There are several challengers and looks, so each test is held to its share of the level
    (Bonferroni); the chance that a race among equals has a winner stays below ``significance``.

    Args:
        sample: Times contestants.
        challengers: How many there are.
        significance: The level.
        repeats: Samples of each in the first look.
        logger: Told why a challenger drops out.
    """
    alive = list(range(1, challengers + 1))
    samples: dict[int, list[float]] = {number: [] for number in range(challengers + 1)}
    taken = 0
    for look in _LOOKS:
        alive = _take(sample, samples, alive, (look - taken) * repeats, logger=logger)
        taken = look
        if not alive:
            return Outcome()
        level = significance / (len(_LOOKS) * challengers)
        winners = [n for n in alive if significantly_faster(samples[n], samples[0], level)]
        if winners:
            first = min(winners, key=lambda n: median(samples[n]))
            return Outcome(first, median(samples[first]) / median(samples[0]))
        alive = [n for n in alive if significantly_faster(samples[n], samples[0], _NEAR)]
    return Outcome()


def _take(
    sample: Sample,
    samples: dict[int, list[float]],
    alive: Sequence[int],
    rounds: int,
    *,
    logger: logging.Logger | None,
) -> list[int]:
    """Add samples of the incumbent and of all that are in; returns those that still are."""
    results = time_survivors(sample, alive, rounds, logger)
    for number, result in results.items():
        samples[number] += result.samples
    return [number for number in alive if number in results]


def time_survivors(
    sample: Sample, challengers: Sequence[int], rounds: int, logger: logging.Logger | None = None
) -> dict[int, Measurement]:
    """Time challengers and the incumbent, 0, in turns; whoever cannot be timed is left out.

    Whoever takes the process down takes the others' samples along. So after a failure each is
    tried beside the incumbent alone, and those that pass are timed together once more: samples
    of different minutes do not compare.

    Returns:
        Number to measurement, the incumbent's among them; empty where nothing can be compared.
    """
    alive = list(challengers)
    for _ in range(_ATTEMPTS):
        if not alive:
            break
        results = sample([0, *alive], rounds)
        if not any(result.error for result in results):
            return dict(zip([0, *alive], results, strict=True))
        alive = [n for n in alive if not _fails(sample, n, logger)]
    return {}


def _fails(sample: Sample, number: int, logger: logging.Logger | None) -> bool:
    errors = [result.error for result in sample([0, number], 1) if result.error]
    if errors and logger is not None:
        logger.info("a challenger drops out: %s", errors[-1])
    return bool(errors)
