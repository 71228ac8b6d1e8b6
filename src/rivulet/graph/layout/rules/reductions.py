"""Operators along some of the axes."""

from __future__ import annotations

from typing import Any

from rivulet.graph.layout.order import without
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value
from rivulet.graph.layout.rules.attributes import axes_of, axis_of

_REDUCTIONS = ("max", "mean", "min", "prod", "std", "sum", "variance")


def reduction(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Over axes, which are gone then or of extent 1."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    axes = axes_of(call.attrs.axis, data.rank)
    keep = bool(call.attrs.keepdims)
    operator = getattr(rewriter.relax.op, call.op.name.removeprefix("relax."))
    new = operator(data.value, sorted(data.order.index(axis) for axis in axes), keep)
    return rewriter.emit(new, data.order if keep else without(data.order, axes))


def position(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Of the largest or smallest along one axis."""
    data = rewriter.activation(arguments[0])
    if data is None or call.attrs.axis is None:
        return None
    axis = axis_of(call.attrs.axis, data.rank)
    keep = bool(call.attrs.keepdims)
    operator = getattr(rewriter.relax.op, call.op.name.removeprefix("relax."))
    new = operator(data.value, data.order.index(axis), keep)
    return rewriter.emit(new, data.order if keep else without(data.order, [axis]))


def softmax(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Along one axis, all of which stay."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    axis = data.order.index(axis_of(call.attrs.axis, data.rank))
    operator = getattr(rewriter.relax.op.nn, call.op.name.removeprefix("relax.nn."))
    return rewriter.emit(operator(data.value, axis), data.order)


RULES: dict[str, Rule] = {
    **{f"relax.{name}": reduction for name in _REDUCTIONS},
    "relax.argmax": position,
    "relax.argmin": position,
    "relax.nn.softmax": softmax,
    "relax.nn.log_softmax": softmax,
}
