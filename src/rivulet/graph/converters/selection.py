"""Operators that find places by value, or that values have their places told of."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.converters.indexing import counted_from_zero
from rivulet.graph.converters.node import (
    Node,
    RefusedError,
    constant,
    converts,
)


@converts("NonZero", "Unique", "NonMaxSuppression")
def depends_on_values(node: Node) -> Any:
    """Refused: every buffer has a fixed size here."""
    raise RefusedError("the size of its output depends on the input's values")


@converts("OneHot")
def one_hot(node: Node) -> Any:
    """One value where an axis's place is the index, another elsewhere."""
    from tvm import relax

    depth = int(node.known(1, "depth").ravel()[0])
    rank = len(node.shape()) + 1
    axis = int(node.attributes.get("axis", -1)) % rank
    index = relax.op.astype(counted_from_zero(node, 0, depth), "int64")
    found = equals_range(relax.op.expand_dims(index, axis), axis, depth, rank)
    values = node.value(2)
    if values is not None:
        off, on = (constant(value) for value in values)
    else:
        pair = node.tensor(2)
        off, on = (relax.op.reshape(relax.op.strided_slice(pair, [0], [k], [k + 1]), ())
                   for k in (0, 1))  # fmt: skip
    return relax.op.where(found, on, off)


def equals_range(index: Any, axis: int, extent: int, rank: int) -> Any:
    """Whether an index, of extent 1 along an axis, is the place along it."""
    from tvm import relax

    places = np.arange(extent, dtype="int64").reshape([-1 if k == axis else 1 for k in range(rank)])
    return relax.op.equal(index, constant(places))


@converts("ArgMax", "ArgMin")
def extreme_place(node: Node) -> Any:
    """First or last place of the largest or smallest value along an axis."""
    from tvm import relax

    find = relax.op.argmax if node.operator == "ArgMax" else relax.op.argmin
    x, axis = node.tensor(), int(node.attributes.get("axis", 0)) % len(node.shape())
    keep = bool(node.attributes.get("keepdims", 1))
    if not node.attributes.get("select_last_index", 0):
        return find(x, axis, keep)
    last = constant(node.shape()[axis] - 1, "int64")
    return last - find(relax.op.flip(x, axis), axis, keep)


@converts("TopK")
def top_k(node: Node) -> Any:
    """The largest or smallest values along an axis in order, and their places."""
    from tvm import relax

    axis = int(node.attributes.get("axis", -1)) % len(node.shape())
    found = node.emit(
        relax.op.topk(
            node.tensor(),
            k=int(node.known(1, "k").ravel()[0]),
            axis=axis,
            ret_type="both",
            largest=bool(node.attributes.get("largest", 1)),
            dtype="int64",
        )
    )
    return [found[0], found[1]]


@converts("CumSum", "CumProd")
def cumulative(node: Node) -> Any:
    """Sums or products of all values so far, from either end."""
    from tvm import relax

    x = node.tensor()
    axis = int(node.known(1, "axis").ravel()[0]) % len(node.shape())
    backwards = bool(node.attributes.get("reverse", 0))
    run = relax.op.cumsum if node.operator == "CumSum" else relax.op.cumprod
    if backwards:
        x = relax.op.flip(x, axis)
    y = run(x, axis, exclusive=bool(node.attributes.get("exclusive", 0)))
    return relax.op.flip(y, axis) if backwards else y


@converts("MaxUnpool")
def max_unpool(node: Node) -> Any:
    """Values at the places that a pooling found, zeros elsewhere.

    Places are those of the image that was pooled, whose extents are the output's.
    """
    from tvm import relax

    shape = node.shape()
    rank = len(shape) - 2
    kernel = node.attributes["kernel_shape"]
    strides = node.attributes.get("strides", (1,) * rank)
    pads = node.attributes.get("pads", (0,) * 2 * rank)
    inferred = [
        (shape[k + 2] - 1) * strides[k] + kernel[k] - pads[k] - pads[k + rank] for k in range(rank)
    ]
    pooled = (*shape[:2], *inferred)
    wanted = tuple(node.integers(2, "output_shape") or pooled)
    total = int(np.prod(pooled))
    flat = relax.op.scatter_elements(
        relax.op.zeros((total,), node.dtype()),
        relax.op.reshape(node.tensor(1), (-1,)),
        relax.op.reshape(node.tensor(), (-1,)),
    )
    image = relax.op.reshape(flat, pooled)
    if wanted == pooled:
        return image
    widths = [entry for a, b in zip(pooled, wanted, strict=True) for entry in (0, b - a)]
    return relax.op.nn.pad(image, widths)


@converts("Where")
def where(node: Node) -> Any:
    """One of two values, by a condition; all three broadcast."""
    from tvm import relax

    return relax.op.where(node.tensor(0), node.tensor(1), node.tensor(2))


@converts("RoiAlign")
def align_regions(node: Node) -> Any:
    """TVM's, for means.

    Raises:
        RefusedError: It takes the maximum of samples, which TVM computes otherwise.
    """
    if node.text("mode", "avg") != "avg":
        raise RefusedError("mode max")
    return NotImplemented
