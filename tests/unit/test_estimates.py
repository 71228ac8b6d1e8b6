"""Latencies, ratios and their intervals, from one process and from several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivulet.benchmark.estimates import (
    Sampling,
    Stopping,
    estimate_latency,
    estimate_ratio,
    function_changes,
    widest,
)
from rivulet.benchmark.pair import PairResult
from rivulet.measure.ratios import SAME

SAMPLING = Sampling(0.95, 500, 0)
latencies = st.floats(min_value=0.01, max_value=1000)


def drawn(generator, processes, spread, noise, value=10.0, rounds=15):
    """Samples of some processes, each with a level of its own."""
    levels = value * np.exp(generator.normal(0, spread, processes))
    return [list(level * np.exp(generator.normal(0, noise, rounds))) for level in levels]


def test_the_intervals_of_several_processes_cover_what_other_processes_would_show():
    generator = np.random.default_rng(1)
    found = [estimate_latency(drawn(generator, 3, 0.03, 0.01), SAMPLING) for _ in range(400)]
    covered = np.mean([one.low <= 10 <= one.high for one in found])
    assert 0.92 <= covered <= 0.98


def test_the_interval_of_one_process_does_not():
    generator = np.random.default_rng(1)
    found = [estimate_latency(drawn(generator, 1, 0.03, 0.01), SAMPLING) for _ in range(100)]
    assert np.mean([one.low <= 10 <= one.high for one in found]) < 0.5


def test_equal_variants_are_called_different_as_rarely_as_the_level_says():
    generator = np.random.default_rng(2)
    different = 0
    for _ in range(400):
        # A process's level is the same for both, but for where each has its memory.
        shared = drawn(generator, 4, 0.05, 0.0, rounds=1)
        ours, theirs = (
            [[level[0] * shift * x for x in np.exp(generator.normal(0, 0.01, 15))]
             for level, shift in zip(shared, np.exp(generator.normal(0, 0.02, 4)), strict=True)]
            for _ in range(2)
        )  # fmt: skip
        different += estimate_ratio(ours, theirs, SAMPLING).verdict != SAME
    assert different / 400 <= 0.08


def test_a_ratio_within_one_process_uses_the_rounds_that_both_have():
    ours, theirs = [[2.0, 2.2, 2.1, 2.0, 2.1]], [[1.0, 1.1, 1.05, 1.0, 1.05, 9.0, 9.0, 9.0]]
    one = estimate_ratio(ours, theirs, SAMPLING)
    assert one.value == pytest.approx(2.0)
    assert one.low <= 2.0 <= one.high


@given(st.lists(st.lists(latencies, min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_latency_lies_in_its_interval_and_among_the_samples(groups):
    one = estimate_latency(groups, Sampling(0.95, 100, 0))
    assert one.low <= one.value * (1 + 1e-9)
    assert one.value <= one.high * (1 + 1e-9)
    samples = [sample for group in groups for sample in group]
    assert min(samples) * (1 - 1e-9) <= one.value <= max(samples) * (1 + 1e-9)


def test_the_widest_interval_is_told_with_its_method():
    stopping = Stopping(3, 8, 0.04, SAMPLING)
    methods = {"steady": [[1.0], [1.001], [0.999]], "loose": [[1.0], [1.3], [0.8]], "none": []}
    width, method = widest(methods, stopping)
    assert method == "loose"
    assert width > 0.5
    assert widest({"none": []}, stopping) == (0.0, "")


def test_functions_that_changed_alike_in_all_processes_are_told():
    def result(slow, wavering):
        before = {"slow": 100.0, "wavering": 50.0, "same": 850.0}
        after = {"slow": slow, "wavering": wavering, "same": 850.0}
        return PairResult({}, {}, {}, {"before": before, "after": after})

    results = [result(150.0, 60.0), result(160.0, 40.0), result(155.0, 60.0)]
    assert function_changes(results, "before", "after", 0.005) == [("slow", 100.0, 155.0)]
