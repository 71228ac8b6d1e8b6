"""Operators that only give the axes other names: a note on the order, and no work."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from rivulet.graph.layout.order import (
    Shape,
    identity,
    inverse,
    order_after_reshape,
    same_memory,
    segments,
)
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value, operator_of
from rivulet.graph.layout.rules.attributes import axes_of, ints, shape_of
from rivulet.graph.layout.stored import Merged, Stored, weight


def transpose(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Nothing moves until it has to."""
    (data,) = arguments
    if not isinstance(data, Stored):
        return None
    given = call.attrs.axes
    axes = tuple(reversed(range(data.rank))) if given is None else tuple(ints(given))
    shape = tuple(data.shape[axis] for axis in axes)
    if data.weight is not None:
        return weight(data.weight.transpose(axes))
    data = rewriter.unmerged(data)
    places = inverse(axes)
    order = tuple(places[axis] for axis in data.order)
    return replace(data, shape=shape, order=order, written=True)


def reshape(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Splits and joins axes where they lie."""
    data = arguments[0]
    if not isinstance(data, Stored) or not hasattr(call.args[1], "values"):
        return None
    return to_shape(rewriter, data, shape_of(call.args[1]), rewriter.readers())


def expand_dims(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """New axes of extent 1."""
    (data,) = arguments
    if not isinstance(data, Stored):
        return None
    rank = data.rank + len(list(call.attrs.axis))
    new = set(axes_of(call.attrs.axis, rank))
    extents = iter(data.shape)
    shape = tuple(1 if axis in new else next(extents) for axis in range(rank))
    return to_shape(rewriter, data, shape, [])


def squeeze(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Axes of extent 1 gone."""
    (data,) = arguments
    if not isinstance(data, Stored):
        return None
    if call.attrs.axis is None:
        gone = [axis for axis, extent in enumerate(data.shape) if extent == 1]
    else:
        gone = axes_of(call.attrs.axis, data.rank)
    shape = tuple(extent for axis, extent in enumerate(data.shape) if axis not in gone)
    return to_shape(rewriter, data, shape, [])


def to_shape(rewriter: Rewriter, data: Stored, shape: Shape, readers: list[Any]) -> Stored:
    """The tensor with another shape."""
    if shape == data.shape:
        return data
    if data.weight is not None:
        return weight(data.weight.reshape(shape))
    data = rewriter.unmerged(data)
    if not math.prod(shape):
        return rewriter.reshaped(
            replace(data, value=rewriter.plain(data), order=identity(data.rank)),
            shape,
            identity(len(shape)),
        )
    needed, order = order_after_reshape(data.shape, shape, data.order)
    if not same_memory(needed, data.order, data.shape) and _only_products_read(readers):
        merged = _merged(data, shape)
        if merged is not None:
            return merged_as(rewriter, data, shape, merged)
    value = rewriter.place(data, needed)
    return rewriter.reshaped(replace(data, value=value, order=needed), shape, order)


def merged_as(rewriter: Rewriter, data: Stored, shape: Shape, merged: Merged) -> Stored:
    """The tensor with the axes of one group joined as they lie."""
    flat = rewriter.reshaped(data, shape, identity(len(shape)))
    return replace(flat, merged=merged)


def _merged(data: Stored, shape: Shape) -> Merged | None:
    """The one joined axis whose parts lie in another order; None where that is not all."""
    groups = segments(data.shape, shape)
    lying = [axis for axis in data.order if data.shape[axis] != 1]
    if [axis for axis in lying if axis not in groups[-1][0]] != [
        axis for before, _ in groups[:-1] for axis in before
    ]:
        return None
    parts, after = groups[-1]
    if lying[len(lying) - len(parts) :] != [axis for axis in lying if axis in parts]:
        return None
    if len(after) != 1 or after[0] != len(shape) - 1:
        return None
    inner = tuple(parts.index(axis) for axis in lying if axis in parts)
    return Merged(after[0], tuple(data.shape[axis] for axis in parts), inner)


def _only_products_read(readers: list[Any]) -> bool:
    """Is every reader a product with weights, which takes rows in any order?"""
    return bool(readers) and all(operator_of(reader) == "relax.matmul" for reader in readers)


RULES: dict[str, Rule] = {
    "relax.permute_dims": transpose,
    "relax.reshape": reshape,
    "relax.expand_dims": expand_dims,
    "relax.squeeze": squeeze,
}
