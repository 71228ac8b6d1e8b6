"""The order of axes in memory: what can be said of it without a graph."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivulet.graph.layout.order import (
    between,
    channels_last,
    identity,
    inverse,
    order_after_reshape,
    same_memory,
    segments,
    stored_shape,
    without,
)


@st.composite
def reshapes(draw):
    """A shape, an order of its axes, and a shape of as many elements."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=6))

    def joined():
        cuts = draw(st.lists(st.integers(0, len(factors)), max_size=4))
        edges = [0, *sorted(cuts), len(factors)]
        return tuple(math.prod(factors[a:b]) for a, b in itertools.pairwise(edges))

    old, new = joined(), joined()
    return old, tuple(draw(st.permutations(range(len(old))))), new


def test_a_transpose_leads_from_any_order_to_any_other():
    data = np.arange(24).reshape(2, 3, 4)
    for current, wanted in itertools.product(itertools.permutations(range(3)), repeat=2):
        moved = data.transpose(current).transpose(between(current, wanted))
        assert np.array_equal(moved, data.transpose(wanted))


def test_channels_come_last_whatever_the_rank():
    assert [channels_last(rank) for rank in (3, 4, 5)] == [
        (0, 2, 1),
        (0, 2, 3, 1),
        (0, 2, 3, 4, 1),
    ]
    assert inverse(channels_last(4)) == (0, 3, 1, 2)
    assert stored_shape((1, 8, 5, 7), channels_last(4)) == (1, 5, 7, 8)


def test_axes_of_extent_one_lie_anywhere():
    assert same_memory((0, 2, 3, 1), (0, 1, 2, 3), (1, 8, 1, 1))
    assert not same_memory((0, 2, 3, 1), (0, 1, 2, 3), (1, 8, 2, 1))


def test_what_a_reduction_leaves_keeps_its_order():
    assert without((0, 2, 3, 1), [2, 3]) == (0, 1)
    assert without((0, 2, 3, 1), [0]) == (1, 2, 0)


@pytest.mark.parametrize(
    ("old", "new", "groups"),
    [
        ((1, 8, 7, 7), (1, 8, 49), [([1], [1]), ([2, 3], [2])]),
        ((4, 6), (2, 2, 6), [([0], [0, 1]), ([1], [2])]),
        ((6, 4), (4, 6), [([0, 1], [0, 1])]),
        ((1, 1), (1,), []),
    ],
)
def test_a_reshape_falls_into_its_smallest_groups(old, new, groups):
    assert segments(old, new) == groups


def test_a_view_of_groups_of_channels_moves_nothing():
    needed, order = order_after_reshape((1, 8, 5, 7), (1, 2, 4, 5, 7), (0, 2, 3, 1))
    assert needed == (0, 2, 3, 1)
    assert stored_shape((1, 2, 4, 5, 7), order) == (1, 5, 7, 2, 4)


def test_pixels_and_channels_joined_have_to_be_moved():
    needed, _ = order_after_reshape((1, 8, 5, 7), (1, 280), (0, 2, 3, 1))
    assert same_memory(needed, identity(4), (1, 8, 5, 7))


@given(reshapes())
def test_a_reshape_of_what_lies_in_the_needed_order_is_the_reshape(case):
    old, order, new = case
    data = np.arange(math.prod(old)).reshape(old)
    needed, after = order_after_reshape(old, new, order)
    lying = data.transpose(order).transpose(between(order, needed))
    taken = lying.reshape(stored_shape(new, after))
    assert np.array_equal(taken.transpose(inverse(after)), data.reshape(new))
