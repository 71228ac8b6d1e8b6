"""Structure of kernels, which of them match, and how axes correspond; no TVM."""

import math

from hypothesis import given
from hypothesis import strategies as st

from rivulet.kernels.structure import BlockStructure, KernelStructure
from rivulet.transfer.mapping import align_axes
from rivulet.transfer.matching import (
    EXACT,
    RELATED,
    SAME_ANCHOR,
    SAME_CLASS,
    loop_distance,
    match_kernels,
    match_kind,
)  # fmt: skip
from rivulet.transfer.sources import Source, SourceKernel

PRODUCTS = "Add(load,Mul(load,load))"
extents = st.lists(st.integers(1, 2048), min_size=1, max_size=5)


def block(axes, form, *sizes):
    return BlockStructure(axes, form, sizes)


def convolution(size=14, channels=64, inputs=64, window=3, then=("Add(load,load)",)):
    anchor = block("SSSSRRR", PRODUCTS, 1, size, size, channels, window, window, inputs)
    pad = block("SSSS", "if_then_else(load,constant)", 1, size + 2, size + 2, inputs)
    after = [block("SSSS", form, 1, size, size, channels) for form in then]
    return KernelStructure((pad, anchor, *after) if window > 1 else (anchor, *after))


def depthwise(size=14, channels=64):
    return KernelStructure((block("SSSSRR", PRODUCTS, 1, size, size, channels, 3, 3),))


def pool(size=7, channels=64):
    return KernelStructure((block("SSSSRR", "Max(load,load)", 1, size, size, channels, 3, 3),))


def relu(*sizes):
    return KernelStructure((block("S" * len(sizes), "Max(load,constant)", *sizes),))


def test_the_anchor_is_the_reduction_with_most_work():
    pad, anchor, add = convolution().blocks
    assert convolution().anchor == anchor
    assert anchor.spatial == (1, 14, 14, 64)
    assert anchor.reduction == (3, 3, 64)
    assert relu(4, 8).anchor.axes == "SS"
    assert {pad.work, add.work} == {16 * 16 * 64, 14 * 14 * 64}


def test_families():
    assert convolution().family == depthwise().family == "contraction"
    assert pool().family == "reduction"
    assert relu(3).family == "elementwise"


def test_kinds_of_matches():
    ours = convolution()
    assert match_kind("a", ours, "a", ours) == EXACT
    assert match_kind("a", ours, "b", convolution(size=7, channels=512)) == SAME_CLASS
    other_fusion = convolution(then=("Add(load,load)", "Max(load,constant)"))
    assert match_kind("a", ours, "b", other_fusion) == SAME_ANCHOR
    assert match_kind("a", ours, "b", convolution(window=1)) == SAME_ANCHOR  # no padding
    assert match_kind("a", ours, "b", depthwise()) == RELATED
    assert match_kind("a", ours, "b", pool()) is None
    assert match_kind("a", relu(8, 8), "b", relu(512)) == RELATED


def test_matches_are_ordered_by_kind_and_distance():
    def lender(task, structure, workload="other"):
        return SourceKernel("m", task, workload, structure, 1.0, (object(),))

    source = Source("m", (
        lender("depthwise", depthwise()),
        lender("far", convolution(size=112, channels=8)),
        lender("near", convolution(size=14, channels=128)),
        lender("same", convolution(), "ours"),
        lender("pool", pool()),
    ))  # fmt: skip
    found = match_kernels("ours", convolution(), [source])
    assert [m.kernel.task for m in found][:2] == ["same", "near"]
    assert {m.kernel.task for m in found} == {"same", "near", "far", "depthwise"}
    assert found[0].distance == 0


def test_axes_of_equal_number_correspond_in_order():
    assert align_axes([1, 14, 14, 64], [1, 7, 7, 512]) == [0, 1, 2, 3]


def test_a_window_takes_after_the_window_and_not_the_channels():
    assert align_axes([3, 3, 64], [3, 3]) == [0, 1]
    assert align_axes([3, 3], [3, 3, 64]) == [0, 1, None]


def test_a_matrix_takes_after_pixels_and_channels():
    # The batch and one of two axes of pixels have no counterpart.
    assert align_axes([1, 56, 56, 64], [49, 64])[-1] == 3
    assert align_axes([49, 64], [1, 56, 56, 64])[-1] == 1


@given(extents, extents)
def test_aligned_axes_keep_their_order_and_none_serves_twice(source, target):
    used = [axis for axis in align_axes(source, target) if axis is not None]
    assert used == sorted(set(used))
    assert len(used) == min(len(source), len(target))
    assert all(0 <= axis < len(source) for axis in used)


@given(extents)
def test_the_distance_to_itself_is_zero(sizes):
    one = block("S" * len(sizes), PRODUCTS, *sizes)
    assert loop_distance(one, one) == 0


@given(st.lists(st.integers(1, 512), min_size=3, max_size=3), st.integers(2, 64))
def test_an_axis_without_counterpart_counts_with_its_extent(sizes, more):
    one = block("SSS", PRODUCTS, *sizes)
    other = block("SSSR", PRODUCTS, *sizes, more)
    assert math.isclose(loop_distance(one, other), math.log(more))
    assert math.isclose(loop_distance(other, one), math.log(more))
