"""The space around real schedules of real kernels: what its steps lead to when TVM applies them."""

import math
import random

import numpy as np
import pytest

from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.schedules.design_space import open_design_space
from rivulet.schedules.kernel_space import KernelSpace
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.schedules.tiles import splits
from rivulet.tvm_compat.traces import (
    CATEGORICAL,
    INLINE,
    LIMITS,
    LOCATION,
    ROOT,
    TILE,
    Postprocessing,
    categories,
    decisions,
)

KINDS = ("image_conv2d", "conv2d", "depthwise_conv2d", "matmul", "max_pool2d", "softmax")
SPACES = (None, RegisterTiles(lanes=8, registers=16, threads=1))
SEEDS = (1, 2, 3)


def write_operators(path):
    """A model of one kernel of each kind: no fusion, and extents of few factors."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(generator.random(shape, np.float32), name)

    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["input", "w1"], ["c1"], **window),
        helper.make_node("Conv", ["c1", "w2"], ["c2"], **window),
        helper.make_node("Conv", ["c2", "w3"], ["c3"], group=8, **window),
        helper.make_node("MaxPool", ["c3"], ["p"], strides=[2, 2], **window),
        helper.make_node("GlobalAveragePool", ["p"], ["q"]),
        helper.make_node("Flatten", ["q"], ["f"]),
        helper.make_node("MatMul", ["f", "w4"], ["m"]),
        helper.make_node("Softmax", ["m"], ["output"], axis=1),
    ]
    weights = [
        weight("w1", 8, 4, 3, 3), weight("w2", 8, 8, 3, 3), weight("w3", 8, 1, 3, 3),
        weight("w4", 8, 12),
    ]  # fmt: skip
    sizes = {"input": [1, 4, 6, 6], "output": [1, 12]}
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in sizes.items()]
    graph = helper.make_graph(nodes, "operators", *ends, weights)
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))
    return path


@pytest.fixture(scope="module")
def spaces(target, tmp_path_factory):
    """Kind of kernel to the spaces around several of its schedules, with their traces."""
    path = write_operators(tmp_path_factory.mktemp("operators") / "operators.onnx")
    found = {kernel.kind: kernel for kernel in extract_kernels(prepare_model(path, target), target)}
    around = {}
    for kind in KINDS:
        kernel, around[kind] = found[kind], []
        postprocessing = Postprocessing(kernel.module, target)
        for tiles in SPACES:
            _, design = open_design_space(kernel.module, target, tiles, 1, seed=1)
            for seed in SEEDS[: 3 if tiles is None else 1]:
                schedule = design.schedule(design.sample(random.Random(seed)), seed)
                space = KernelSpace(kernel, schedule.trace, postprocessing, 1)
                around[kind].append((space, schedule, design))
    return around


def neighbours(space, point):
    return [(step, space.after(point, [step])) for step in space.steps(point)]


def wander(space, point, steps, rng):
    """A point some random steps away."""
    for _ in range(steps):
        _, point = rng.choice(neighbours(space, point))
    return point


def walked(around, rng, length=3, walks=1):
    """The start, and points that random steps lead to."""
    space = around.space
    return [around.start, *(wander(space, around.start, length, rng) for _ in range(walks))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_neighbour_is_a_valid_schedule_with_the_decisions_of_its_point(spaces, kind):
    """But for one thing: where another decision takes the loop of a compute location away, TVM
    puts the block elsewhere without a word, and the schedule is that of another point."""
    rng = random.Random(5)
    for around, schedule, _ in spaces[kind]:
        (start,) = around.apply([around.start])
        assert start.schedule.mod.script() == schedule.mod.script()
        kinds = [decision.kind for decision in around.structure.decisions]
        codes = set()
        for point in walked(around, rng):
            found = neighbours(around.space, point)
            applied = around.apply([other for _, other in found])
            for (_, other), one in zip(found, applied, strict=True):
                assert one.reason == ""
                assert one.schedule is not None
                codes.add(one.name)
                got = {d.index: d.value for d in decisions(one.schedule.trace)}
                values = [got[decision.index] for decision in around.structure.decisions]
                replaced = [n for n, value in enumerate(values) if value != other[n]]
                assert {kinds[n] for n in replaced} <= {LOCATION}
        assert len(codes) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_has_a_step_back_and_all_lead_elsewhere(spaces, kind):
    rng = random.Random(6)
    for around, _, _ in spaces[kind]:
        for point in walked(around, rng, length=6, walks=4):
            others = [other for _, other in neighbours(around.space, point)]
            assert len({*others, point}) == len(others) + 1
            for other in others:
                assert [back for _, back in neighbours(around.space, other)].count(point) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_walk_leaves_the_space(spaces, kind):
    rng = random.Random(7)
    for around, schedule, _ in spaces[kind]:
        for _ in range(5):
            point = wander(around.space, around.start, 60, rng)
            for d, axis, value in zip(
                around.structure.decisions, around.space.axes, point, strict=True
            ):
                if d.kind == TILE:
                    assert (math.prod(value), len(value)) == (math.prod(d.value), len(d.value))
                    assert value[-1] <= d.innermost_limit
                elif d.kind == CATEGORICAL:
                    assert 0 <= value[0] < len(categories(schedule.trace, d.index))
                elif d.kind == LOCATION:
                    assert value in axis.values
                else:
                    assert 1 <= value[0] <= 1024


@pytest.mark.parametrize("kind", KINDS)
def test_values_come_in_their_natural_order_and_its_ends_are_no_neighbours(spaces, kind):
    seen = set()
    for around, schedule, _ in spaces[kind]:
        for d, axis in zip(around.structure.decisions, around.space.axes, strict=True):
            if d.kind == TILE:
                continue
            seen.add(d.kind)
            values = [value for (value,) in axis.values]
            assert len(set(values)) == len(values)
            assert axis.changes(axis.values[0]) == [(1,)]
            assert axis.changes(axis.values[-1]) == [(-1,)]
            if d.kind == CATEGORICAL:
                extents = categories(schedule.trace, d.index)
                assert [extents[place] for place in values] == sorted(extents)
            elif d.kind in LIMITS:
                assert values == sorted({2**n for n in range(11)} | {d.value[0]})
            else:
                loops = [value for value in values if value >= 0]
                assert values == [
                    *[ROOT] * (ROOT in values), *sorted(loops), *[INLINE] * (INLINE in values),
                ]  # fmt: skip
                assert loops or {ROOT, INLINE} == set(values)
    assert seen >= {*LIMITS, CATEGORICAL}
    assert (LOCATION in seen) == (kind != "matmul")


def test_categories_are_ordered_by_their_value_wherever_they_stand(kernels, target):
    from tvm.s_tir import Schedule

    kernel = kernels[0]
    schedule = Schedule(kernel.module, seed=1)
    steps = schedule.sample_categorical([64, 512, 0, 16], [0.25] * 4, decision=0)
    schedule.annotate(schedule.get_sblock("root"), "meta_schedule.unroll_explicit", steps)
    around = KernelSpace(kernel, schedule.trace, Postprocessing(kernel.module, target), 1)
    (axis,) = around.space.axes
    assert axis.values == ((2,), (3,), (0,), (1,))
    assert [around.space.after(around.start, [(0, c)]) for c in ((1,), (-1,))] == [((1,),), ((3,),)]


def along(axis, start):
    """All values that one axis leads to."""
    seen, front = {start}, [start]
    while front:
        value = front.pop()
        for change in axis.changes(value):
            found = axis.after(value, change)
            if found not in seen:
                seen.add(found)
                front.append(found)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_categories_and_limits_of_any_schedule_of_the_structure_are_reached(spaces, kind):
    """Not so its compute locations: which loops there are depends on the tiles (TVM offers no
    loop of one round), and the axis has those of the start."""
    compared = 0
    for around, schedule, design in spaces[kind]:
        reach = [along(axis, v) for axis, v in zip(around.space.axes, around.start, strict=True)]
        for d, axis, values in zip(
            around.structure.decisions, around.space.axes, reach, strict=True
        ):
            if d.kind == TILE:
                every = splits(math.prod(d.value), len(d.value), d.innermost_limit)
                assert values == set(every)
            else:
                assert values == set(axis.values)
        rng = random.Random(8)
        others = [design.sample(rng) for _ in range(12)]
        for other in others:
            if other.structure is not design.structure_of(schedule.trace):
                continue
            found = {d.index: d.value for d in decisions(design.schedule(other, 3).trace)}
            for d, values in zip(around.structure.decisions, reach, strict=True):
                assert d.kind == LOCATION or found[d.index] in values
                compared += found[d.index] != d.value
    assert compared > 0


def test_steps_lead_to_every_point_of_a_space(spaces):
    around, _, _ = spaces["max_pool2d"][0]
    seen, front = {around.start}, [around.start]
    while front:
        for _, other in neighbours(around.space, front.pop()):
            if other not in seen:
                seen.add(other)
                front.append(other)
    assert len(seen) == math.prod(
        len(along(axis, v)) for axis, v in zip(around.space.axes, around.start, strict=True)
    )
    assert len(seen) > 1000
