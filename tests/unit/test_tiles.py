import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.schedules.tiles import (
    divisors,
    move_factor,
    nearest_split,
    neighbour_splits,
    prime_factors,
    repaired_split,
    splits,
)

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


@given(split_of(), extents)
def test_a_repaired_split_is_valid_and_left_alone_where_it_fits(source, extent):
    found = repaired_split(source, extent)
    assert math.prod(found) == extent
    assert repaired_split(found, extent) == found
    assert repaired_split(source, math.prod(source)) == source


def test_a_repaired_split_collapses_outwards_as_tvms_does():
    # 16 does not divide 56, which then becomes the innermost factor whole.
    assert repaired_split((4, 1, 1, 16), 56) == (1, 1, 1, 56)
    assert repaired_split((2, 2, 1, 16), 128) == (4, 2, 1, 16)


@st.composite
def axes_of_tiles(draw):
    sizes = [draw(st.sampled_from([1, 7, 14, 56, 112])) for _ in range(2)]
    channels = draw(st.sampled_from([16, 64, 96, 512, 1000]))
    return [draw(st.sampled_from(list(splits(n, 4, 64)))) for n in (1, *sizes, channels)]


@given(axes_of_tiles(), axes_of_tiles(), st.sampled_from([(8, 16), (16, 32)]))
def test_the_nearest_register_tile_is_within_the_limits(source, like, registers):
    tiles = RegisterTiles(*registers, threads=2)
    extents = [math.prod(split) for split in like]
    found = tiles.nearest_spatial(source, extents)
    assert [math.prod(split) for split in found] == extents
    assert tiles.admits(found)
    assert tiles.nearest_spatial(found, extents) == found


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


@given(split_of(), st.sampled_from([0, 8, 64]), st.data())
def test_a_factor_that_has_moved_may_move_back(split, limit, data):
    if limit and split[-1] > limit:
        return
    source, to = data.draw(st.permutations(range(len(split))))[:2]
    for prime in prime_factors(split[source]):
        moved = move_factor(split, source, to, prime, innermost_limit=limit)
        if moved is None:
            assert to == len(split) - 1
            assert split[-1] * prime > limit > 0
            continue
        assert (math.prod(moved), len(moved)) == (math.prod(split), len(split))
        assert (moved[source], moved[to]) == (split[source] // prime, split[to] * prime)
        assert not limit or moved[-1] <= limit
        assert move_factor(moved, to, source, prime, innermost_limit=limit) == split


def test_a_factor_that_is_not_there_does_not_move():
    assert move_factor((4, 9), 0, 1, 2) == (2, 18)
    assert move_factor((4, 9), 0, 1, 3) is None
    assert move_factor((4, 1), 1, 0, 2) is None


def test_an_innermost_factor_beyond_the_limit_comes_back_step_by_step():
    # A record of another space may be beyond the limit of this one.
    assert move_factor((1, 2, 128), 2, 0, 2, innermost_limit=16) == (2, 2, 64)
    assert move_factor((1, 2, 128), 1, 0, 2, innermost_limit=16) == (2, 1, 128)
    assert move_factor((1, 2, 128), 1, 2, 2, innermost_limit=16) is None
    assert move_factor((8, 2, 16), 0, 2, 2, innermost_limit=16) is None


def test_divisors_and_primes():
    assert divisors(12) == (1, 2, 3, 4, 6, 12)
    assert prime_factors(360) == (2, 3, 5)
    assert prime_factors(1) == ()
    assert prime_factors(97) == (97,)
