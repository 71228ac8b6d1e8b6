"""Operators that move values or give them another shape."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, RefusedError, constant, converts, shape_of


@converts("Reshape")
def reshape(node: Node) -> Any:
    """Zeros stand for the input's own extent, unless ``allowzero`` is set."""
    from tvm import relax

    given = node.shape()
    wanted = node.integers(1, "shape") or []
    if not node.attributes.get("allowzero", 0):
        wanted = [given[k] if extent == 0 else extent for k, extent in enumerate(wanted)]
    if -1 in wanted:
        rest = math.prod(extent for extent in wanted if extent != -1)
        wanted[wanted.index(-1)] = math.prod(given) // max(rest, 1)
    return relax.op.reshape(node.tensor(), tuple(wanted))


@converts("Flatten")
def flatten(node: Node) -> Any:
    """Two dimensions: those before the axis, and the others."""
    from tvm import relax

    extents, axis = node.shape(), int(node.attributes.get("axis", 1))
    rows = math.prod(extents[: axis + len(extents) if axis < 0 else axis])
    return relax.op.reshape(node.tensor(), (rows, math.prod(extents) // max(rows, 1)))


@converts("Squeeze")
def squeeze(node: Node) -> Any:
    """Without some axes of extent 1, or without all of them."""
    from tvm import relax

    extents, axes = node.shape(), node.integers(1, "axes")
    if axes is None:
        axes = [k for k, extent in enumerate(extents) if extent == 1]
    axes = sorted(axis % len(extents) for axis in axes)
    return relax.op.squeeze(node.tensor(), axes) if axes else node.tensor()


@converts("Unsqueeze")
def unsqueeze(node: Node) -> Any:
    """With more axes of extent 1, counted in the output."""
    from tvm import relax

    axes = node.integers(1, "axes") or []
    rank = len(node.shape()) + len(axes)
    return relax.op.expand_dims(node.tensor(), sorted(axis % rank for axis in axes))


@converts("Transpose")
def transpose(node: Node) -> Any:
    """Axes in another order; reversed unless one is given."""
    from tvm import relax

    rank = len(node.shape())
    return relax.op.permute_dims(
        node.tensor(), list(node.attributes.get("perm", range(rank)[::-1]))
    )


@converts("Concat")
def concat(node: Node) -> Any:
    """Inputs side by side."""
    from tvm import relax

    axis = int(node.attributes["axis"])
    values = [node.value(place) for place in range(len(node.inputs))]
    if all(value is not None and value.dtype.kind == "i" for value in values):
        return constant(np.concatenate([v for v in values if v is not None], axis))
    inputs = [node.tensor(place) for place in range(len(node.inputs))]
    return relax.op.concat(inputs, axis % len(node.shape()))


@converts("Split")
def split(node: Node) -> Any:
    """Parts of an axis: of given extents, or as equal as they get."""
    from tvm import relax

    axis = int(node.attributes.get("axis", 0)) % len(node.shape())
    parts = node.integers(1, "split")
    if parts is None:
        extent, count = node.shape()[axis], int(node.attributes.get("num_outputs", node.outputs))
        part = -(-extent // count)
        parts = [min(part, extent - k * part) for k in range(count)]
    bounds = np.cumsum([0, *parts]).tolist()
    return [relax.op.strided_slice(node.tensor(), [axis], [b], [e]) for b, e in pairwise(bounds)]


@converts("Slice")
def cut(node: Node) -> Any:
    """Some of the entries of some axes, backwards too."""
    from tvm import relax

    extents = node.shape()
    starts, ends = node.integers(1, "starts") or [], node.integers(2, "ends") or []
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.integers(4, "steps") or [1] * len(starts)
    axes = [axis % len(extents) for axis in axes]
    begin, end = [], []
    for axis, start, stop, step in zip(axes, starts, ends, steps, strict=True):
        first, last, _ = slice(start, stop, step).indices(extents[axis])
        begin.append(first)
        # TVM counts a negative end from the end: before the first entry is one extent lower.
        end.append(last if last >= 0 else -extents[axis] - 1)
    return relax.op.strided_slice(node.tensor(), axes, begin, end, steps)


@converts("Expand")
def expand(node: Node) -> Any:
    """Broadcast against a shape, which may also be the smaller one."""
    from tvm import relax

    wanted = node.integers(1, "shape") or []
    return relax.op.broadcast_to(node.tensor(), np.broadcast_shapes(node.shape(), tuple(wanted)))


@converts("Tile")
def tile(node: Node) -> Any:
    """Copies side by side: broadcast on axes of their own, then joined."""
    from tvm import relax

    extents, repeats = node.shape(), node.integers(1, "repeats") or []
    if all(count == 1 for count in repeats):
        return node.tensor()
    if all(extent == 1 or count == 1 for extent, count in zip(extents, repeats, strict=True)):
        full = [extent * count for extent, count in zip(extents, repeats, strict=True)]
        return relax.op.broadcast_to(node.tensor(), full)
    apart = [entry for extent in extents for entry in (1, extent)]
    copied = [entry for pair in zip(repeats, extents, strict=True) for entry in pair]
    full = [extent * count for extent, count in zip(extents, repeats, strict=True)]
    x = relax.op.reshape(node.tensor(), apart)
    return relax.op.reshape(relax.op.broadcast_to(x, copied), full)


@converts("DepthToSpace")
def depth_to_space(node: Node) -> Any:
    """Blocks of channels as blocks of pixels."""
    from tvm import relax

    n, c, h, w = node.shape()
    b = int(node.attributes["blocksize"])
    columns_first = node.text("mode", "DCR") == "CRD"
    if columns_first:
        form, order = (n, c // (b * b), b, b, h, w), [0, 1, 4, 2, 5, 3]
    else:
        form, order = (n, b, b, c // (b * b), h, w), [0, 3, 4, 1, 5, 2]
    x = relax.op.permute_dims(relax.op.reshape(node.tensor(), form), order)
    return relax.op.reshape(x, (n, c // (b * b), h * b, w * b))


@converts("SpaceToDepth")
def space_to_depth(node: Node) -> Any:
    """Blocks of pixels as blocks of channels."""
    from tvm import relax

    n, c, h, w = node.shape()
    b = int(node.attributes["blocksize"])
    order = [0, 1, 3, 5, 2, 4] if node.text("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
    x = relax.op.reshape(node.tensor(), (n, c, h // b, b, w // b, b))
    return relax.op.reshape(relax.op.permute_dims(x, order), (n, c * b * b, h // b, w // b))


@converts("Trilu")
def triangle(node: Node) -> Any:
    """The upper or the lower triangle of each matrix; zero elsewhere."""
    from tvm import relax

    extents = node.shape()
    diagonal = int(node.known(1, "diagonal").ravel()[0]) if node.has(1) else 0
    ones = np.ones(extents[-2:], dtype=bool)
    upper = node.attributes.get("upper", 1)
    kept = np.triu(ones, diagonal) if upper else np.tril(ones, diagonal)
    return relax.op.where(constant(kept), node.tensor(), node.scalar(0))


@converts("CenterCropPad")
def center_crop_or_pad(node: Node) -> Any:
    """Some axes cut or padded with zeros to given extents, around their middles."""
    from tvm import relax

    x, rank = node.tensor(), len(node.shape())
    axes = [axis % rank for axis in node.attributes.get("axes", range(rank))]
    for axis, wanted in zip(axes, node.integers(1, "shape") or [], strict=True):
        extent = shape_of(x)[axis]
        if wanted < extent:
            begin = (extent - wanted) // 2
            x = node.emit(relax.op.strided_slice(x, [axis], [begin], [begin + wanted]))
        elif wanted > extent:
            widths = [0] * (2 * rank)
            widths[2 * axis] = (wanted - extent) // 2
            widths[2 * axis + 1] = wanted - extent - widths[2 * axis]
            x = node.emit(relax.op.nn.pad(x, widths))
    return x


@converts("ReverseSequence")
def reverse_sequence(node: Node) -> Any:
    """The first entries of each sequence backwards: a gather with indices by length."""
    from tvm import relax

    time = int(node.attributes.get("time_axis", 0))
    batch = int(node.attributes.get("batch_axis", 1))
    if {time, batch} != {0, 1}:
        raise RefusedError("axes other than the first two")
    extents = node.shape()
    rank = len(extents)

    def along(axis: int) -> list[int]:
        return [-1 if k == axis else 1 for k in range(rank)]

    at = constant(np.arange(extents[time], dtype="int64").reshape(along(time)))
    form = [extents[batch] if k == batch else 1 for k in range(rank)]
    lengths = relax.op.reshape(relax.op.astype(node.tensor(1), "int64"), form)
    mirrored = lengths - constant(1, "int64") - at
    index = relax.op.where(relax.op.less(at, lengths), mirrored, at)
    return relax.op.gather_elements(node.tensor(), relax.op.broadcast_to(index, extents), time)
