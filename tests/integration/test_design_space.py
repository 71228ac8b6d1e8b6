"""Points of a real kernel's design space, applied by real TVM."""

import math
import random

import pytest

from rivulet.hardware.vectors import vector_registers
from rivulet.schedules.design_space import DesignSpace
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.tvm_compat.traces import LOCATION, TILE, Postprocessing, decisions

TILES = RegisterTiles(lanes=8, registers=16, threads=2)


@pytest.fixture(scope="module")
def convolution(kernels):
    return max(kernels, key=lambda kernel: kernel.flops)


def space(kernel, target, tiles):
    from tvm.s_tir import meta_schedule as ms

    context = ms.TuneContext(
        mod=kernel.module, target=target, space_generator="post-order-apply", rand_state=3
    )
    traces = [schedule.trace for schedule in context.generate_design_space()]
    return DesignSpace(kernel.module, traces, Postprocessing(kernel.module, target), tiles)


@pytest.fixture(scope="module")
def tiled(convolution, target):
    return space(convolution, target, TILES)


def inner_tile(point):
    (spatial, _), *_ = point.structure.blocks
    return [point.values[position][-1] for position in spatial]


def test_sampled_points_become_schedules_with_the_decisions_of_the_point(tiled):
    rng = random.Random(1)
    for _ in range(8):
        point = tiled.sample(rng)
        schedule = tiled.schedule(point, seed=1)
        applied = tiled.point_of(schedule.trace)
        assert applied.structure is point.structure
        for decision, wanted, got in zip(
            point.structure.decisions, point.values, applied.values, strict=True
        ):
            assert got == wanted or (wanted is None and decision.kind == LOCATION)
        assert TILES.accumulators(inner_tile(applied)) <= TILES.most_accumulators


def test_what_a_point_leaves_open_is_decided_by_the_seed(tiled):
    rng = random.Random(2)

    def outcomes(point):
        return {
            tiled.point_of(tiled.schedule(point, seed).trace).values
            for seed in range(10**6, 10**8, 10**7 + 7)
        }

    points = [tiled.sample(rng) for _ in range(12)]
    undecided = next(p for p in points if None in p.values and len(outcomes(p)) > 1)
    first, again = (tiled.schedule(undecided, 9).mod.script() for _ in range(2))
    assert first == again


def test_mutation_stays_valid_and_within_the_registers_and_gets_about(tiled):
    rng = random.Random(3)
    point = tiled.point_of(tiled.schedule(tiled.sample(rng), seed=1).trace)
    seen = {point.values}
    for _ in range(200):
        point = tiled.mutate(point, rng)
        for decision, value in zip(point.structure.decisions, point.values, strict=True):
            if decision.kind == TILE:
                assert math.prod(value) == math.prod(decision.value)
        assert TILES.accumulators(inner_tile(point)) <= TILES.most_accumulators
        seen.add(point.values)
    assert len(seen) > 50
    assert tiled.schedule(point, seed=1) is not None


def test_a_crossing_takes_a_blocks_tiles_from_one_parent(tiled):
    rng = random.Random(4)
    first = tiled.sample(rng)
    second = next(
        p for p in iter(lambda: tiled.sample(rng), None)
        if p.structure is first.structure and p.values != first.values
    )  # fmt: skip
    for _ in range(20):
        child = tiled.cross(first, second, rng)
        for spatial, reduction in first.structure.blocks:
            tile = [child.values[p] for p in (*spatial, *reduction)]
            parents = [[one.values[p] for p in (*spatial, *reduction)] for one in (first, second)]
            assert tile in parents


def test_sketches_of_another_structure_do_not_cross(tiled):
    rng = random.Random(5)
    points = [tiled.sample(rng) for _ in range(30)]
    other = next(p for p in points if p.structure is not points[0].structure)
    assert tiled.cross(points[0], other, rng) is None


def test_tvms_whole_space_leaves_the_tiles_to_tvm(convolution, target):
    stock = space(convolution, target, None)
    point = stock.sample(random.Random(6))
    assert set(point.values) == {None}
    schedule = stock.schedule(point, seed=5)
    assert any(d.kind == TILE for d in decisions(schedule.trace))


def test_registers_follow_the_targets_features():
    from rivulet.tvm_compat import load_tvm

    tvm = load_tvm()
    wide = vector_registers(tvm.target.Target({"kind": "llvm", "mcpu": "skylake-avx512"}))
    narrow = vector_registers(tvm.target.Target({"kind": "llvm", "mcpu": "haswell"}))
    masked = {"kind": "llvm", "mcpu": "skylake-avx512", "mattr": ["-avx512f"]}
    assert vector_registers(tvm.target.Target(masked)) == narrow
    assert (wide.bytes, wide.count) == (64, 32)
    assert (narrow.bytes, narrow.count) == (32, 16)
