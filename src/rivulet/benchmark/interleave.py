"""Time variants of one model round-robin, so that a disturbance meets all of them alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rivulet.hardware.cpu import last_level_cache_bytes

_LEAST_SAMPLES = 5
# Of an inference so long that its first run, which touches its memory, takes no longer to speak of.
_LONG_SECONDS = 0.5


class Variant(Protocol):
    """Something that runs one inference of a model."""

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs."""

    def run(self) -> None:
        """One inference."""

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""


@runtime_checkable
class Timed(Protocol):
    """A variant that may run where this process's clock tells nothing."""

    def timed(self, count: int) -> float:
        """Seconds of one of ``count`` inferences in a row."""


@runtime_checkable
class Configured(Protocol):
    """A variant that says how it is set up."""

    @property
    def configuration(self) -> dict[str, str]:
        """Its options, by the names that its own documentation has for them."""


@dataclass(frozen=True)
class TimingSettings:
    """The part of the config's ``benchmark`` settings that governs timing."""

    seed: int
    warmup_runs: int
    samples: int
    min_sample_ms: float
    settle_ms: float
    max_seconds_per_method: float
    cache_flush: bool = False

    @classmethod
    def from_settings(cls, chosen: Mapping[str, Any]) -> TimingSettings:
        """Take them out of the ``benchmark`` settings."""
        return cls(**{field.name: chosen[field.name] for field in fields(cls)})


def time_interleaved(
    variants: Mapping[str, Variant],
    settings: TimingSettings,
    report: Callable[[int, int], None],
    begin: Callable[[str], None] = lambda name: None,
    *,
    once_only: Mapping[str, float] | None = None,
) -> dict[str, list[float]]:
    """Latency samples of each variant, in milliseconds.

    Each round takes one sample of every variant, in a new seeded order. A sample averages as
    many inferences as fill ``min_sample_ms``, after a pause, in which the other runtime's
    threads stop spinning, and one inference that is not timed, unless a single one fills the
    sample anyway. A variant that has used up ``max_seconds_per_method`` rests with the samples
    that it has, five at least. With ``cache_flush`` other memory is read before each inference,
    untimed, so that none finds anything of its own in a cache.

    Args:
        variants: Name to variant, inputs bound.
        settings: How to time.
        report: Told the rounds done and the rounds in all.
        begin: Told whose turn it is, until the first round is over.
        once_only: Variants that get one sample in all, to the seconds that an inference of theirs
            has just taken by their own clock, 0 where nothing is known. Where that was long, it is
            the sample.
    """
    once_only = once_only or {}
    counts, spent = {}, dict.fromkeys(variants, 0.0)
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for name, variant in variants.items():
        begin(name)
        if once_only.get(name, 0.0) >= _LONG_SECONDS:
            samples[name].append(once_only[name] * 1e3)
            continue
        for _ in range(max(1, settings.warmup_runs)):
            started = time.perf_counter()
            once = run_seconds(variant, 1)
            spent[name] += time.perf_counter() - started
            if once > settings.max_seconds_per_method / 10:
                break
        counts[name] = max(1, round(settings.min_sample_ms / (once * 1e3)))
    shuffle = random.Random(settings.seed).shuffle
    flush = _Flush() if settings.cache_flush else None
    order = list(variants)
    for number in range(settings.samples):
        shuffle(order)
        for name in order:
            over = spent[name] > settings.max_seconds_per_method
            if over and len(samples[name]) >= _LEAST_SAMPLES:
                continue
            if name in once_only and samples[name]:
                continue
            if number == 0:
                begin(name)
            started = time.perf_counter()
            samples[name].append(_sample(variants[name], counts[name], settings.settle_ms, flush))
            spent[name] += time.perf_counter() - started
        report(number + 1, settings.samples)
    return samples


def run_seconds(variant: Variant, count: int) -> float:
    """Mean seconds of some inferences in a row, by the variant's own clock where it has one."""
    if isinstance(variant, Timed):
        return variant.timed(count)
    begin = time.perf_counter()
    for _ in range(count):
        variant.run()
    return (time.perf_counter() - begin) / count


class _Flush:
    """Reads and writes twice the largest cache."""

    def __init__(self) -> None:
        self._memory = np.zeros(2 * last_level_cache_bytes() // 8)

    def __call__(self) -> None:
        self._memory += 1.0


def _sample(variant: Variant, count: int, settle_ms: float, flush: _Flush | None) -> float:
    """Mean milliseconds of some inferences."""
    time.sleep(settle_ms * 1e-3)
    if flush is not None:
        spent = 0.0
        for _ in range(count):
            flush()
            spent += run_seconds(variant, 1)
        return spent / count * 1e3
    if count > 1:
        variant.run()
    return run_seconds(variant, count) * 1e3
