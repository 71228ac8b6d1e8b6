import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivulet.schedules.tiles import divisors, nearest_split, neighbour_splits, prime_factors, splits

extents = st.sampled_from([1, 2, 7, 12, 28, 56, 64, 100, 112, 147, 224, 512, 1000])
levels = st.integers(2, 4)


@st.composite
def split_of(draw, extent=extents):
    size = draw(extent)
    return draw(st.sampled_from(list(splits(size, draw(levels)))))


@given(split_of(), extents, st.sampled_from([0, 4, 16, 64]))
def test_nearest_split_is_valid(source, extent, limit):
    found = nearest_split(source, extent, limit)
    assert math.prod(found) == extent
    assert len(found) == len(source)
    assert not limit or found[-1] <= limit


@given(split_of())
def test_nearest_split_of_an_equal_extent_is_itself(source):
    assert nearest_split(source, math.prod(source)) == source


@given(split_of(), extents)
def test_nearest_split_is_idempotent(source, extent):
    once = nearest_split(source, extent)
    assert nearest_split(once, extent) == once


def test_nearest_split_keeps_the_inner_factors():
    # 64 channels were split 2 x 2 x 1 x 16; for 128 the outermost takes the rest.
    assert nearest_split((2, 2, 1, 16), 128) == (4, 2, 1, 16)
    # 16 does not divide 56; 14 is nearer than 8 in log space.
    assert nearest_split((4, 16), 56) == (4, 14)


@given(split_of(), st.sampled_from([0, 8, 64]))
def test_neighbours_are_valid_and_symmetric(split, limit):
    if limit and split[-1] > limit:
        return
    for other in neighbour_splits(split, limit):
        assert math.prod(other) == math.prod(split)
        assert not limit or other[-1] <= limit
        assert split in neighbour_splits(other, limit)
        assert other != split


@pytest.mark.parametrize("extent", [12, 64, 100])
def test_neighbours_connect_all_splits(extent):
    everything = set(splits(extent, 3))
    seen, front = set(), [next(iter(everything))]
    while front:
        split = front.pop()
        if split not in seen:
            seen.add(split)
            front += neighbour_splits(split)
    assert seen == everything


def test_divisors_and_primes():
    assert divisors(12) == (1, 2, 3, 4, 6, 12)
    assert prime_factors(360) == (2, 3, 5)
    assert prime_factors(1) == ()
    assert prime_factors(97) == (97,)
