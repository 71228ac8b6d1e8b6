"""Time variants of one model round-robin, so that a disturbance meets all of them alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_LEAST_SAMPLES = 5


class Variant(Protocol):
    """Something that runs one inference of a model."""

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs."""

    def run(self) -> None:
        """One inference."""

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""


@dataclass(frozen=True)
class TimingSettings:
    """The part of the config's ``benchmark`` settings that governs timing."""

    seed: int
    warmup_runs: int
    samples: int
    min_sample_ms: float
    settle_ms: float
    max_seconds_per_method: float


def time_interleaved(
    variants: Mapping[str, Variant],
    settings: TimingSettings,
    report: Callable[[int, int], None],
) -> dict[str, list[float]]:
    """Latency samples of each variant, in milliseconds.

    Each round takes one sample of every variant, in a new seeded order. A sample averages as
    many inferences as fill ``min_sample_ms``, after a pause, in which the other runtime's
    threads stop spinning, and one inference that is not timed, unless a single one fills the
    sample anyway. A variant that has used up
    ``max_seconds_per_method`` rests with the samples that it has, five at least.

    Args:
        variants: Name to variant, inputs bound.
        settings: How to time.
        report: Told the rounds done and the rounds in all.
    """
    counts, spent = {}, dict.fromkeys(variants, 0.0)
    for name, variant in variants.items():
        for _ in range(max(1, settings.warmup_runs)):
            begin = time.perf_counter()
            variant.run()
            once = time.perf_counter() - begin
            spent[name] += once
            if once > settings.max_seconds_per_method / 10:
                break
        counts[name] = max(1, round(settings.min_sample_ms / (once * 1e3)))
    shuffle = random.Random(settings.seed).shuffle
    samples: dict[str, list[float]] = {name: [] for name in variants}
    order = list(variants)
    for number in range(settings.samples):
        shuffle(order)
        for name in order:
            over = spent[name] > settings.max_seconds_per_method
            if over and len(samples[name]) >= _LEAST_SAMPLES:
                continue
            begin = time.perf_counter()
            samples[name].append(_sample(variants[name], counts[name], settings.settle_ms))
            spent[name] += time.perf_counter() - begin
        report(number + 1, settings.samples)
    return samples


def _sample(variant: Variant, count: int, settle_ms: float) -> float:
    time.sleep(settle_ms * 1e-3)
    if count > 1:
        variant.run()
    begin = time.perf_counter()
    for _ in range(count):
        variant.run()
    return (time.perf_counter() - begin) / count * 1e3
