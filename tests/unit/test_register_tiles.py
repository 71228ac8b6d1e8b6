"""Register tiles: every sample fits the registers, whatever the extents."""

import math
import random

import pytest

from rivulet.schedules.register_tiles import RegisterTiles

AVX512 = RegisterTiles(lanes=16, registers=32, threads=2)
AVX2 = RegisterTiles(lanes=8, registers=16, threads=4)
SHAPES = {
    "resnet": [1, 56, 56, 64],
    "late resnet": [1, 7, 7, 512],
    "alexnet": [1, 13, 13, 384],
    "googlenet": [1, 28, 28, 96],
    "odd channels": [1, 5, 11, 3],
    "one column": [1, 1, 1, 1000],
    "matrix": [384, 768],
}


@pytest.mark.parametrize("extents", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("tiles", [AVX512, AVX2], ids=["avx512", "avx2"])
def test_samples_are_splits_whose_accumulators_fit_the_registers(tiles, extents):
    rng = random.Random(7)
    for _ in range(50):
        splits = tiles.sample_spatial(extents, rng)
        assert [math.prod(split) for split in splits] == extents
        assert {len(split) for split in splits} == {4}
        assert tiles.accumulators([split[-1] for split in splits]) <= tiles.most_accumulators


@pytest.mark.parametrize("extents", [SHAPES["resnet"], SHAPES["late resnet"], SHAPES["matrix"]])
def test_samples_use_whole_vectors_and_enough_accumulators(extents):
    rng = random.Random(7)
    for _ in range(50):
        splits = AVX512.sample_spatial(extents, rng)
        assert splits[-1][-1] % 16 == 0
        assert AVX512.accumulators([split[-1] for split in splits]) >= 8
        assert AVX512.admits(splits)


def test_samples_keep_all_threads_busy_where_the_extents_allow_it():
    rng = random.Random(7)
    for _ in range(50):
        tasks = math.prod(split[0] for split in AVX2.sample_spatial([1, 56, 56, 64], rng))
        assert tasks / (4 * math.ceil(tasks / 4)) >= 0.9


@pytest.mark.parametrize(
    ("inner", "admitted"),
    [
        ((1, 1, 14, 32), True),  # 28 registers
        ((1, 2, 7, 32), True),
        ((1, 1, 14, 64), False),  # 56 registers spill
        ((1, 1, 4, 16), False),  # 4 registers wait for each other
        ((1, 1, 14, 8), False),  # half a register
    ],
)
def test_limits_of_a_register_tile(inner, admitted):
    extents = (1, 56, 56, 64)
    splits = [(n // f, 1, 1, f) for n, f in zip(extents, inner, strict=True)]
    assert AVX512.admits(splits) is admitted


def test_a_small_kernel_is_held_to_the_largest_tile_that_it_has():
    assert AVX512.admits([(1, 1, 1, 1), (1, 1, 1, 3), (1, 1, 1, 16)])
    assert not AVX512.admits([(1, 1, 1, 1), (3, 1, 1, 1), (1, 1, 1, 16)])


def test_extents_without_a_tile_of_the_right_size_get_the_nearest_below():
    """7 x 7 pixels on 16 registers: 7 accumulators there are, and 14, but nothing between."""
    rng = random.Random(7)
    for _ in range(200):
        splits = AVX2.sample_spatial([1, 7, 7, 512], rng)
        assert AVX2.admits(splits)
        assert AVX2.accumulators([split[-1] for split in splits]) == 7
    assert not AVX2.admits([(1, 1, 1, 1), (7, 1, 1, 1), (7, 1, 1, 1), (16, 1, 1, 32)])


@pytest.mark.parametrize(
    ("extent", "lanes", "found"),
    [
        (64, 16, [16, 32, 64]),
        (96, 16, [16, 32]),  # not 48: no power of two
        (144, 16, [16]),
        (1000, 16, [8]),  # half a register, and not 50
        (24, 8, [8]),
        (36, 8, [4]),
        (27, 8, [27]),  # no even divisor at all
    ],
)
def test_vectors_are_powers_of_two_where_there_are_any(extent, lanes, found):
    assert RegisterTiles(lanes, 32, 2).vectors(extent) == found
