"""Products of matrices, which read their operands as they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.layout.order import Order, identity, inverse, same_memory
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value, operator_of
from rivulet.graph.layout.rules.attributes import ints
from rivulet.graph.layout.stored import Merged, Stored, weight


def product(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """With weights, or, within attention, of two matrices for each head."""
    left, right = arguments
    if not (isinstance(left, Stored) and isinstance(right, Stored)) or left.weight is not None:
        return None
    if right.weight is not None and right.rank == 2 and left.rank > 1:
        return _with_weights(rewriter, call, left, right)
    if left.rank == right.rank > 2 and right.weight is None and not call.attrs.out_dtype:
        return _batched(rewriter, left, right)
    return None


def _with_weights(rewriter: Rewriter, call: Any, left: Stored, right: Stored) -> Value:
    """A linear layer; of its input only the last axis has to lie where it is."""
    assert right.weight is not None
    if left.merged is not None:
        right = weight(_rows_as_lying(right.weight, left.merged))
        data, order = left.value, left.order
    else:
        order = left.order
        if order[-1] != left.rank - 1:
            order = (*(axis for axis in order if axis != left.rank - 1), left.rank - 1)
        data = rewriter.place(left, order)
    weights = rewriter.place(right, identity(2))
    new = rewriter.relax.op.matmul(data, weights, call.attrs.out_dtype or None)
    return rewriter.emit(new, order)


def _rows_as_lying(weights: np.ndarray, merged: Merged) -> np.ndarray:
    """The rows in the order in which the parts of what they are multiplied with lie."""
    columns = weights.shape[1]
    parts = weights.reshape(*merged.extents, columns)
    moved = parts.transpose(*merged.order, len(merged.extents))
    return np.ascontiguousarray(moved).reshape(weights.shape)


def _batched(rewriter: Rewriter, left: Stored, right: Stored) -> Value:
    """A product per head.

    Rows and columns are found where they lie. A vector holds neighbouring columns of the right
    operand, so only these have to be neighbours in memory.
    """
    rank = left.rank
    left, right = rewriter.unmerged(left), rewriter.unmerged(right)
    right_order = right.order
    if not _last_varies(right.order, right.shape):
        right_order = (*(axis for axis in right.order if axis != rank - 1), rank - 1)
    values = left.value, rewriter.place(right, right_order)
    order = _wanted_order(rewriter, rank)
    plain = identity(rank)
    if order == plain and all(
        same_memory(lying, plain, operand.shape)
        for lying, operand in ((left.order, left), (right_order, right))
    ):
        operands = rewriter.place(left, plain), rewriter.place(right, plain)
        return rewriter.emit(rewriter.relax.op.matmul(*operands))
    new = rewriter.builder.call_te(
        te_product,
        *values,
        left.order,
        right_order,
        order,
        primfunc_name_hint="matmul",
    )
    return rewriter.emit(new, order)


def te_product(left: Any, right: Any, left_order: Order, right_order: Order, order: Order) -> Any:
    """Matrices multiplied for each index of the axes before their own.

    Args:
        left: Tensor of the model's shape (..., rows, inner), its axes lying in ``left_order``.
        right: Tensor of shape (..., inner, columns), lying in ``right_order``; axes before the
            last two are as long as those of ``left``, or one of the two is of extent 1.
        left_order: See `rivulet.graph.layout.order`.
        right_order: The same.
        order: The order in which the result, of shape (..., rows, columns), lies.
    """
    from tvm import te

    left_order, right_order = tuple(ints(left_order)), tuple(ints(right_order))
    places = inverse(tuple(ints(order)))
    rank = len(order)
    left_shape = [left.shape[place] for place in inverse(left_order)]
    right_shape = [right.shape[place] for place in inverse(right_order)]
    shape = [
        right_shape[axis] if int(left_shape[axis]) == 1 else left_shape[axis]
        for axis in range(rank - 2)
    ]
    shape += [left_shape[-2], right_shape[-1]]
    inner = te.reduce_axis((0, left_shape[-1]), name="k")

    def element(*lying: Any) -> Any:
        index = [lying[place] for place in places]
        first = _clamped([*index[:-1], inner], left_shape)
        second = _clamped([*index[:-2], inner, index[-1]], right_shape)
        return te.sum(
            left(*(first[axis] for axis in left_order))
            * right(*(second[axis] for axis in right_order)),
            axis=inner,
        )

    return te.compute([shape[int(axis)] for axis in order], element, name="matmul")


def _clamped(index: list[Any], shape: list[Any]) -> list[Any]:
    """An index into axes that may be of extent 1."""
    return [0 if int(extent) == 1 else i for i, extent in zip(index, shape, strict=True)]


def _last_varies(order: Order, shape: tuple[int, ...]) -> bool:
    """Does the model's last axis run fastest in memory?"""
    moving = [axis for axis in order if shape[axis] != 1]
    return not moving or moving[-1] == len(shape) - 1 or shape[-1] == 1


def _wanted_order(rewriter: Rewriter, rank: int) -> Order:
    """As the transpose behind the product wants it, where its columns stay together."""
    wanted = set()
    for reader in rewriter.readers():
        if operator_of(reader) != "relax.permute_dims" or reader.attrs.axes is None:
            return identity(rank)
        wanted.add(tuple(ints(reader.attrs.axes)))
    if len(wanted) == 1 and (axes := wanted.pop())[-1] == rank - 1:
        return axes
    return identity(rank)


RULES: dict[str, Rule] = {"relax.matmul": product}
