"""Latencies and ratios of variants that were timed in one process or in several.

Samples of one process share its memory layout and its minute. With several processes each counts as
one observation, the median of its samples, and intervals are Student's over the processes'
logarithms; a single process has the bootstrap's interval, which says nothing of other processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rivulet.benchmark.pair import PairResult
from rivulet.measure.ratios import KernelSamples, Ratio, latency_ratio
from rivulet.measure.statistics import bootstrap_median_interval, geometric_interval, median

Groups = Sequence[Sequence[float]]
"""Samples of one variant, by process."""


@dataclass(frozen=True)
class Estimate:
    """A latency and the range that it may lie in, in the samples' unit."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Width of the range as a share of the value."""
        return (self.high - self.low) / self.value


@dataclass(frozen=True)
class Sampling:
    """How intervals are made.

    Attributes:
        confidence: Of the intervals, such as 0.95.
        resamples: Bootstrap resamples, where there is one process.
        seed: Of the resampling.
    """

    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Stopping:
    """When a benchmark has seen enough.

    Attributes:
        least: Processes at least.
        most: Processes at most.
        precision: Width of the widest interval, as a share of the latency, that is narrow enough.
        sampling: How intervals are made.
        unwatched: Methods whose intervals may be wider.
    """

    least: int
    most: int
    precision: float
    sampling: Sampling
    unwatched: tuple[str, ...] = ()


def estimate_latency(groups: Groups, sampling: Sampling) -> Estimate:
    """A variant's latency with its interval.

    Args:
        groups: Samples of at least one process; one that has none does not count.
        sampling: How the interval is made.
    """
    groups = [group for group in groups if group]
    if len(groups) == 1:
        middle = median(groups[0])
        low, high = bootstrap_median_interval(
            groups[0], sampling.confidence, sampling.resamples, sampling.seed
        )
        return Estimate(middle, low, high)
    return Estimate(*geometric_interval([median(group) for group in groups], sampling.confidence))


def estimate_ratio(ours: Groups, theirs: Groups, sampling: Sampling) -> Ratio:
    """One variant's latency over another's, both from the same processes and rounds.

    Args:
        ours: Samples of one, by process.
        theirs: Samples of the other, from the same processes; one that has none of either does
            not count.
        sampling: How the interval is made.

    Raises:
        ValueError: No process has timed both.
    """
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    if not both:
        raise ValueError("no process has timed both variants")
    ours, theirs = zip(*both, strict=True)
    if len(ours) == 1:
        rounds = min(len(ours[0]), len(theirs[0]))  # one of the two may have rested
        pair = KernelSamples(1, ours[0][:rounds], theirs[0][:rounds])
        return latency_ratio([pair], sampling.confidence, sampling.resamples, sampling.seed)
    ratios = [median(a) / median(b) for a, b in zip(ours, theirs, strict=True)]
    return Ratio(*geometric_interval(ratios, sampling.confidence))


def widest(methods: Mapping[str, Groups], stopping: Stopping) -> tuple[float, str]:
    """Width of the widest interval as a share of its latency, and whose it is.

    Methods without samples do not count; without any the width is zero and the name is empty.
    """
    widths = {
        method: estimate_latency(groups, stopping.sampling).width
        for method, groups in methods.items()
        if groups
    }
    if not widths:
        return 0.0, ""
    method = max(widths, key=lambda name: widths[name])
    return widths[method], method


def function_changes(
    repetitions: Sequence[PairResult], baseline: str, method: str, least: float
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
