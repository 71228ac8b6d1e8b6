"""Operators that read and write at indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, constant, converts, shape_of


@converts("Gather")
def gather(node: Node) -> Any:
    """Entries of one axis; a slice where the indices are known and evenly apart."""
    from tvm import relax

    x = node.tensor()
    axis = int(node.attributes.get("axis", 0)) % len(node.shape())
    extent = node.shape()[axis]
    index = node.value(1)
    if index is None:
        return relax.op.take(x, counted_from_zero(node, 1, extent), axis)
    index = np.where(index < 0, index + extent, index)
    known = node.value(0)
    if known is not None and known.dtype.kind == "i":
        return constant(np.take(known, index, axis))
    step = _even_step(index)
    if step is None:
        return relax.op.take(x, constant(index), axis)
    first = int(index.ravel()[0])
    end = first + step * (index.size - 1) + 1
    x = relax.op.strided_slice(x, [axis], [first], [end], [step])
    if index.ndim == 0:
        return relax.op.squeeze(x, [axis])
    shape = node.shape()
    return relax.op.reshape(x, (*shape[:axis], *index.shape, *shape[axis + 1 :]))


def _even_step(index: np.ndarray) -> int | None:
    """By what indices grow, if they grow evenly."""
    steps = np.unique(np.diff(index.ravel()))
    if index.size == 1:
        return 1
    return int(steps[0]) if steps.size == 1 and steps[0] > 0 else None


def counted_from_zero(node: Node, place: int, extent: int | Any) -> Any:
    """Indices that may be negative, as such from 0 on."""
    from tvm import relax

    index, dtype = node.tensor(place), node.dtype(place)
    if dtype.startswith("uint"):
        return index
    value = node.value(place)
    if value is not None:
        return constant(np.where(value < 0, value + extent, value).astype(dtype))
    below = relax.op.less(index, constant(0, dtype))
    return node.emit(relax.op.where(below, index + constant(extent, dtype), index))


@converts("GatherElements")
def gather_elements(node: Node) -> Any:
    """One index for each output."""
    from tvm import relax

    axis = int(node.attributes.get("axis", 0)) % len(node.shape())
    index = counted_from_zero(node, 1, node.shape()[axis])
    return relax.op.gather_elements(node.tensor(), index, axis)


@converts("GatherND")
def gather_nd(node: Node) -> Any:
    """One row of indices for each output slice."""
    from tvm import relax

    batch = int(node.attributes.get("batch_dims", 0))
    last = node.shape(1)[-1]
    extents = np.array(node.shape()[batch : batch + last])
    return relax.op.gather_nd(node.tensor(), counted_from_zero(node, 1, extents), batch)


@converts("Scatter", "ScatterElements")
def scatter_elements(node: Node) -> Any:
    """Replace, or combine with, values at one index for each update."""
    from tvm import relax

    axis = int(node.attributes.get("axis", 0)) % len(node.shape())
    index = counted_from_zero(node, 1, node.shape()[axis])
    return relax.op.scatter_elements(node.tensor(), index, node.tensor(2), axis, _reduction(node))


@converts("ScatterND")
def scatter_nd(node: Node) -> Any:
    """Replace, or combine with, slices at one row of indices for each update."""
    from tvm import relax

    extents = np.array(node.shape()[: node.shape(1)[-1]])
    index = counted_from_zero(node, 1, extents)
    return relax.op.scatter_nd(node.tensor(), index, node.tensor(2), _reduction(node))


def _reduction(node: Node) -> str:
    given = node.text("reduction", "none")
    return {"none": "update"}.get(given, given)


@converts("Compress")
def compress(node: Node) -> Any:
    """Entries where a condition holds, which must be known."""
    from tvm import relax

    kept = np.flatnonzero(node.known(1, "condition"))
    axis = node.attributes.get("axis")
    if axis is None:
        x = relax.op.reshape(node.tensor(), (-1,))
        return relax.op.take(x, constant(kept.astype("int64")), 0)
    return relax.op.take(
        node.tensor(), constant(kept.astype("int64")), int(axis) % len(node.shape())
    )


@converts("TensorScatter")
def tensor_scatter(node: Node) -> Any:
    """Entries of a cache along one axis replaced by an update, from a place of its own on."""
    from tvm import relax

    cache, update = node.tensor(), node.tensor(1)
    shape, rank = shape_of(update), len(node.shape())
    axis = int(node.attributes.get("axis", -2)) % rank
    form = [-1 if k == axis else 1 for k in range(rank)]
    places = constant(np.arange(shape[axis], dtype="int64").reshape(form))
    if node.has(2):
        begin = relax.op.reshape(node.tensor(2), (shape[0], *(1,) * (rank - 1)))
        places = places + relax.op.astype(begin, "int64")
    if node.text("mode", "linear") == "circular":
        places = relax.op.floor_mod(places, constant(node.shape()[axis], "int64"))
    return relax.op.scatter_elements(cache, relax.op.broadcast_to(places, shape), update, axis)
