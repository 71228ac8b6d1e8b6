import numpy as np
import pytest

from rivulet.measure.outputs import largest_relative_error
from rivulet.measure.statistics import bootstrap_median_interval, median, significantly_faster


def test_interval_holds_the_median_about_as_often_as_it_says():
    generator = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        samples = generator.lognormal(0, 0.3, 25)
        low, high = bootstrap_median_interval(samples, 0.95, 400, seed)
        assert low <= median(samples) <= high
        hits += low <= 1.0 <= high
    assert 0.90 <= hits / 200 <= 0.99


def test_interval_is_deterministic_and_of_no_width_for_one_sample():
    assert bootstrap_median_interval([3.0], 0.95, 100, 0) == (3.0, 3.0)
    samples = [1.0, 2.0, 4.0, 8.0]
    first = bootstrap_median_interval(samples, 0.95, 100, 7)
    assert first == bootstrap_median_interval(samples, 0.95, 100, 7)


def test_false_alarms_stay_below_the_level():
    generator = np.random.default_rng(2)
    alarms = sum(
        significantly_faster(generator.lognormal(0, 0.1, 8), generator.lognormal(0, 0.1, 8), 0.05)
        for _ in range(1000)
    )
    assert alarms / 1000 <= 0.065


def test_a_clear_difference_is_seen_in_one_direction():
    fast, slow = [1.0, 1.1, 1.05, 1.02, 1.08], [2.0, 2.1, 2.2, 2.05, 2.3]
    assert significantly_faster(fast, slow, 0.05)
    assert not significantly_faster(slow, fast, 0.05)


@pytest.mark.parametrize(
    ("ours", "error"),
    [([1.0, 2.0], 0), ([1.0, 2.002], 1e-3), ([1.2, 2.0], 0.1), ([1.0, np.nan], np.inf)],
)
def test_largest_relative_error(ours, error):
    found = largest_relative_error([np.array(ours)], [np.array([1.0, 2.0])])
    assert found == pytest.approx(error)


def test_outputs_of_another_shape_differ_without_bounds():
    assert largest_relative_error([np.ones(3)], [np.ones(4)]) == np.inf


def test_a_small_array_is_not_judged_by_a_large_ones_scale():
    ours, theirs = [np.array([100.0]), np.array([0.2])], [np.array([100.0]), np.array([0.1])]
    assert largest_relative_error(ours, theirs) == pytest.approx(1.0)
