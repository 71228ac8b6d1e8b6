"""Operators that treat each element alike: the order of axes is that of their inputs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from rivulet.graph.layout.order import Order, Shape, identity, stored_shape
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value
from rivulet.graph.layout.stored import Stored

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
    new = type(call)(call.op, [tensor.value, *call.args[1:]], call.attrs, call.ty_args)
    result = rewriter.emit(new, tensor.order)
    # Parts of an axis that lie in another order still do.
    return replace(result, merged=tensor.merged) if isinstance(result, Stored) else result


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
    leading = max(moving, key=lambda t: (math.prod(t.shape), t.order != identity(t.rank)))
    if leading.merged is not None:
        alone = all(t is leading or t.is_scalar for t in tensors)
        leading = leading if alone else rewriter.unmerged(leading)
    order = _extended(leading.order, rank)
    placed = [
        tensor.value if tensor.merged else _broadcastable(rewriter, tensor, order)
        for tensor in (leading if t.value is leading.value else t for t in tensors)
    ]
    result = rewriter.emit(type(call)(call.op, placed, call.attrs, call.ty_args), order)
    assert isinstance(result, Stored)
    return replace(result, merged=leading.merged)


def prelu(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """A slope for each channel."""
    tensor, slope = arguments
    if not (isinstance(tensor, Stored) and isinstance(slope, Stored)) or tensor.weight is not None:
        return None
    tensor = rewriter.unmerged(tensor)
    axis = tensor.order.index(int(call.attrs.axis) % tensor.rank)
    new = rewriter.relax.op.nn.prelu(tensor.value, rewriter.plain(slope), axis)
    return rewriter.emit(new, tensor.order)


def _extended(order: Order, rank: int) -> Order:
    """The order with axes of extent 1 put in front, as broadcasting does."""
    missing = rank - len(order)
    return (*range(missing), *(axis + missing for axis in order))


def _broadcastable(rewriter: Rewriter, tensor: Stored, order: Order) -> Any:
    """An operand in an order, of as many axes; a single number needs none."""
    relax = rewriter.relax
    if tensor.is_scalar:
        assert tensor.weight is not None
        return relax.const(tensor.weight.reshape(()), tensor.dtype)
    tensor = rewriter.unmerged(tensor)
    missing = len(order) - tensor.rank
    shape: Shape = (*(1,) * missing, *tensor.shape)
    if tensor.weight is not None:
        array = tensor.weight.reshape(shape) if missing else tensor.weight
        return rewriter.place(rewriter.known(array), order)
    if missing:
        tensor = rewriter.reshaped(tensor, shape, _extended(tensor.order, len(order)))
    if math.prod(shape) == max(shape, default=1):  # one axis that is longer than 1: a view in any order
        return rewriter.reshaped(tensor, shape, order).value
    assert stored_shape(shape, tensor.order) == tensor.memory_shape
    return rewriter.place(tensor, order)


RULES: dict[str, Rule] = {
    **{f"relax.{name}": unary for name in _UNARY},
    **{f"relax.{name}": broadcasting for name in _BROADCASTING},
    "relax.nn.prelu": prelu,
}
