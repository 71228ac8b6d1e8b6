"""Operators that treat each element alike: the order of axes is that of their inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rivulet.graph.layout.order import Order, Shape, identity, stored_shape
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value, extents_of
from rivulet.graph.layout.stored import Stored, weight

_UNARY = (
    "abs", "acos", "acosh", "asin", "asinh", "astype", "atan", "atanh", "bitwise_not", "ceil",
    "clip", "cos", "cosh", "erf", "exp", "floor", "isfinite", "isinf", "isnan", "log",
    "logical_not", "negative", "nn.gelu", "nn.gelu_tanh", "nn.leakyrelu", "nn.relu", "nn.relu6",
    "nn.selu", "nn.silu", "nn.softplus", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh",
    "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip
_BROADCASTING = (
    "add", "atan2", "bitwise_and", "bitwise_or", "bitwise_xor", "divide", "equal", "floor_divide",
    "floor_mod", "greater", "greater_equal", "left_shift", "less", "less_equal", "log_add_exp",
    "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply",
    "not_equal", "power", "right_shift", "subtract", "where",
)  # fmt: skip


def unary(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """One tensor; what else there is are numbers."""
    tensor = arguments[0]
    if not isinstance(tensor, Stored) or tensor.weight is not None:
        return None
    operand = rewriter.computed(tensor)
    new = type(call)(call.op, [operand, *call.args[1:]], call.attrs, call.ty_args)
    return _seen_as(rewriter, rewriter.emit(new), tensor, tensor.shape, order=tensor.order)


def broadcasting(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Several tensors, broadcast against each other: all in the order of the largest.

    Of two that lie in different orders, the smaller is moved.
    """
    tensors = [a for a in arguments if isinstance(a, Stored)]
    if len(tensors) != len(arguments):
        return None
    rank = max(tensor.rank for tensor in tensors)
    moving = [t for t in tensors if t.weight is None and t.rank == rank]
    if not moving:
        moving = [t for t in tensors if t.weight is None]
    if not moving:
        return None  # all weights: TVM works it out
    leading = max(moving, key=lambda t: _claim(rewriter, t))
    lead = leading
    if not all(t is leading or t.is_scalar for t in tensors):
        lead = rewriter.unmerged(leading)
    order = _extended(lead.order, rank)
    shape = tuple(np.broadcast_shapes(*(tensor.shape for tensor in tensors)))
    lying = stored_shape(shape, order)
    broadcast = lying != (*(1,) * (rank - lead.rank), *lead.memory_shape)
    operand = lead.value if broadcast else rewriter.computed(lead)
    extents = lying if broadcast else extents_of(operand)
    placed = [
        operand
        if tensor is leading
        else _placed(rewriter, tensor, lead, order, lying=lying, extents=extents)
        for tensor in tensors
    ]
    new = type(call)(call.op, placed, call.attrs, call.ty_args)
    return _seen_as(rewriter, rewriter.emit(new), lead, shape, order=order)


def _claim(rewriter: Rewriter, tensor: Stored) -> tuple[bool, int, bool, int]:
    """What makes an operand the one that the others follow, first things first.

    The one computed last is what this operator can become one kernel with.
    """
    return (
        tensor.merged is None,
        math.prod(tensor.shape),
        tensor.order != identity(tensor.rank),
        rewriter.made(tensor),
    )


def _seen_as(
    rewriter: Rewriter, result: Value, operand: Stored, shape: Shape, *, order: Order
) -> Stored:
    """The result as the model sees it; parts of an axis lie as they do in the operand."""
    assert isinstance(result, Stored)
    value = rewriter.view(result.value, stored_shape(shape, order))
    return Stored(shape, result.dtype, order, value, merged=operand.merged)


def prelu(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """A slope for each channel."""
    tensor, slope = rewriter.activation(arguments[0]), arguments[1]
    if tensor is None:
        return None
    axis = tensor.order.index(int(call.attrs.axis) % tensor.rank)
    new = rewriter.relax.op.nn.prelu(tensor.value, rewriter.plain(slope), axis)
    return rewriter.emit(new, tensor.order)


def _extended(order: Order, rank: int) -> Order:
    """The order with axes of extent 1 put in front, as broadcasting does."""
    missing = rank - len(order)
    return (*range(missing), *(axis + missing for axis in order))


def _placed(
    rewriter: Rewriter, tensor: Stored, lead: Stored, order: Order, *, lying: Shape, extents: Shape
) -> Any:
    """An operand in an order and of as many axes as the result has; one number needs none.

    Args:
        rewriter: The rewriter.
        tensor: The operand.
        lead: The operand that it follows.
        order: Order of the result's axes.
        lying: Extents of the result in memory.
        extents: The same but for extents of 1: what the result is computed as.
    """
    if tensor.is_scalar:
        assert tensor.weight is not None
        return rewriter.relax.const(tensor.weight.reshape(()), tensor.dtype)
    missing = len(order) - tensor.rank
    shape: Shape = (*(1,) * missing, *tensor.shape)
    fitted = _fitted(stored_shape(shape, order), lying, extents)
    if tensor.weight is not None:
        array = tensor.weight.reshape(shape).transpose(order).reshape(fitted)
        return rewriter.place(weight(array), identity(array.ndim))
    tensor = rewriter.unmerged(tensor)
    if missing:
        tensor = rewriter.reshaped(tensor, shape, _extended(tensor.order, len(order)))
    return rewriter.view(rewriter.place(tensor, order, lead), fitted)


def _fitted(shape: Shape, lying: Shape, extents: Shape) -> Shape:
    """A shape that is broadcast to ``lying``, with axes for ``extents`` instead."""
    if lying == extents:
        return shape
    kept = iter([n for n, whole in zip(shape, lying, strict=True) if whole != 1])
    return tuple(1 if whole == 1 else next(kept) for whole in extents)


RULES: dict[str, Rule] = {
    **{f"relax.{name}": unary for name in _UNARY},
    **{f"relax.{name}": broadcasting for name in _BROADCASTING},
    "relax.nn.prelu": prelu,
}
