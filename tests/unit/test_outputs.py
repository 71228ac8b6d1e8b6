"""Outputs are compared piece by piece, which must not show."""

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
def test_a_value_that_is_not_finite_is_seen_in_every_piece(monkeypatch, value, place):
    monkeypatch.setattr(outputs, "_BLOCK", 8)
    ours = np.ones(40, np.float32)
    theirs = ours.copy()
    ours[place] = value
    assert outputs.largest_relative_error([ours], [theirs]) == np.inf
    assert outputs.largest_relative_error([theirs], [ours]) == np.inf
    assert outputs.largest_relative_error([ours], [ours]) == np.inf
