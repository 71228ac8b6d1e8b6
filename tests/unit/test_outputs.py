"""Outputs are compared piece by piece, which must not show."""

import itertools

import numpy as np
import pytest

from rivulet.measure import outputs


@pytest.mark.parametrize("size", [1, 7, 8, 9, 40])
def test_pieces_give_what_the_whole_gives(monkeypatch, size):
    generator = np.random.default_rng(size)
    ours = generator.standard_normal((2, size)).astype(np.float32)
    theirs = ours + generator.standard_normal((2, size)).astype(np.float32) * 1e-3
    whole = outputs.largest_relative_error([ours], [theirs])
    double = theirs.astype(np.float64)
    assert whole == np.abs(ours - double).max() / np.abs(double).max()
    monkeypatch.setattr(outputs, "_BLOCK", 8)
    assert outputs.largest_relative_error([ours], [theirs]) == whole


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 39])
def test_a_value_that_one_side_alone_has_not_finite_is_seen_in_every_piece(
    monkeypatch, value, place
):
    monkeypatch.setattr(outputs, "_BLOCK", 8)
    ours = np.ones(40, np.float32)
    theirs = ours.copy()
    ours[place] = value
    assert outputs.largest_relative_error([ours], [theirs]) == np.inf
    assert outputs.largest_relative_error([theirs], [ours]) == np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_equal_values_that_are_not_finite_are_equal_and_the_others_still_count(value):
    ours = np.array([1.0, value, 2.0], np.float32)
    theirs = np.array([1.0, value, 4.0], np.float32)
    assert outputs.largest_relative_error([ours], [ours.copy()]) == 0
    assert outputs.largest_relative_error([ours], [theirs]) == 0.5


def test_infinities_of_the_other_sign_and_infinities_for_no_numbers_differ():
    values = [np.array([value, 1.0]) for value in (np.nan, np.inf, -np.inf)]
    for ours, theirs in itertools.permutations(values, 2):
        assert outputs.largest_relative_error([ours], [theirs]) == np.inf


def test_outputs_without_any_finite_value_are_equal_where_they_are_the_same():
    nothing = np.full((3, 4), np.nan, np.float32)
    assert outputs.largest_relative_error([nothing], [nothing.copy()]) == 0
