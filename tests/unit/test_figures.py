"""Figures keep digits where they are small, and are what they were where they are large."""

import math

import pytest

from rivulet.figures import fixed, microseconds, milliseconds, operations


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (551.6241, "551.624"),
        (2.2291, "2.229"),
        (0.0148811, "0.0149"),
        (0.0017423, "0.00174"),
        (0.0, "0.000"),
        (math.inf, "inf"),
    ],
)
def test_decimals_are_added_only_to_keep_three_digits(value, text):
    assert fixed(value, 3) == text


def test_latencies_carry_their_unit():
    assert milliseconds(0.00443) == "0.00443 ms"
    assert (microseconds(204.31), microseconds(0.12345)) == ("204.3 us", "0.123 us")


def test_a_small_models_arithmetic_is_not_rounded_to_nothing():
    assert operations(1.8244e9) == "1.824 GFLOP"
    assert operations(36_700) == "0.0367 MFLOP"
    assert operations(1_234_567) == "1.23 MFLOP"
