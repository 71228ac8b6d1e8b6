"""Normalisations by statistics of the data itself."""

from __future__ import annotations

from typing import Any

from rivulet.graph.layout.rewrite import Rewriter, Rule, Value
from rivulet.graph.layout.rules.attributes import axes_of, axis_of
from rivulet.graph.layout.stored import Stored


def layer_norm(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Scale and shift have the normalised axes, in the order in which these lie."""
    data, (scale, shift) = rewriter.activation(arguments[0]), arguments[1:]
    if data is None or not (isinstance(scale, Stored) and isinstance(shift, Stored)):
        return None
    axes = axes_of(call.attrs.axes, data.rank)
    lying = [axis for axis in data.order if axis in axes]
    inner = tuple(axes.index(axis) for axis in lying)
    new = rewriter.relax.op.nn.layer_norm(
        data.value,
        rewriter.place(scale, inner),
        rewriter.place(shift, inner),
        [data.order.index(axis) for axis in lying],
        epsilon=float(call.attrs.epsilon),
        center=bool(call.attrs.center),
        scale=bool(call.attrs.scale),
    )
    return rewriter.emit(new, data.order)


def instance_norm(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Over space, for each channel of each image."""
    data, (scale, shift) = rewriter.activation(arguments[0]), arguments[1:]
    if data is None:
        return None
    new = rewriter.relax.op.nn.instance_norm(
        data.value,
        rewriter.plain(scale),
        rewriter.plain(shift),
        data.order.index(axis_of(call.attrs.channel_axis, data.rank)),
        [data.order.index(axis) for axis in axes_of(call.attrs.axes, data.rank)],
        epsilon=float(call.attrs.epsilon),
        center=bool(call.attrs.center),
        scale=bool(call.attrs.scale),
    )
    return rewriter.emit(new, data.order)


RULES: dict[str, Rule] = {
    "relax.nn.layer_norm": layer_norm,
    "relax.nn.instance_norm": instance_norm,
}
