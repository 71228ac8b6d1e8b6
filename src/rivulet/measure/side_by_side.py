"""Several schedules of every kernel of a model, timed in turns: how do their sums compare?

Logs cannot be compared by what they say: they were measured in different processes, and each
one's best are the luckiest of many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rivulet.errors import UserError
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import MeasuringBench
from rivulet.measure.ratios import KernelSamples, Ratio, latency_ratio
from rivulet.measure.statistics import significantly_faster
from rivulet.tvm_compat.names import candidate_name

Weighted = list[tuple[int, tuple[float, ...]]]
"""Weight and samples in seconds of each kernel, in the order of the kernels."""


def measure_side_by_side(
    kernels: Sequence[Kernel],
    variants: Mapping[str, Mapping[str, Any]],
    bench: MeasuringBench,
    rounds: int,
    *,
    seed: int,
    report: Callable[[int, str], None],
) -> dict[str, Weighted]:
    """Time the variants of each kernel in turns, one sample of each per round.

    Variants with equal code share their samples, so that they compare as equal.

    Args:
        kernels: The model's kernels.
        variants: Name of each variant to its scheduled modules, by task name; a kernel that is
            not there has its default loops.
        bench: Measures modules.
        rounds: Samples of each.
        seed: Seed of the order.
        report: Told the kernels done and a line on how it stands.

    Raises:
        UserError: One of them does not run.
    """
    found: dict[str, Weighted] = {name: [] for name in variants}
    for number, kernel in enumerate(kernels, 1):
        modules = {n: chosen.get(kernel.task, kernel.module) for n, chosen in variants.items()}
        names = {variant: candidate_name(module) for variant, module in modules.items()}
        distinct = {names[variant]: module for variant, module in modules.items()}
        results = bench.measure_interleaved(list(distinct.values()), rounds, seed)
        samples = dict(zip(distinct, results, strict=True))
        for variant, name in names.items():
            if samples[name].error:
                raise UserError(f"{kernel.task}, {variant}: {samples[name].error}")
            found[variant].append((kernel.weight, samples[name].samples))
        report(number, f"{short_name(kernel.task)}: {len(distinct)} schedule(s) in turns")
    return found


def sum_ratio(
    ours: Weighted, theirs: Weighted, confidence: float, resamples: int, *, seed: int
) -> Ratio:
    """Weighted sum of the median latencies of one variant over another's, with its interval."""
    pairs = zip(ours, theirs, strict=True)
    samples = [KernelSamples(weight, a, b) for (weight, a), (_, b) in pairs]
    return latency_ratio(samples, confidence, resamples, seed)


def slower_and_faster(before: Weighted, after: Weighted, significance: float) -> tuple[int, int]:
    """How many kernels are slower in the second variant, and how many are faster.

    By one-sided Mann-Whitney U tests, each at its share of the level (Bonferroni): of many kernels
    without any difference some look as if they had one.
    """
    pairs = [(a, b) for (_, a), (_, b) in zip(before, after, strict=True) if a != b]
    level = significance / max(1, len(pairs))
    slower = sum(significantly_faster(a, b, level) for a, b in pairs)
    faster = sum(significantly_faster(b, a, level) for a, b in pairs)
    return slower, faster
