"""Operators that move data along some axes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rivulet.graph.layout.order import Order, identity
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value
from rivulet.graph.layout.rules.attributes import axis_of, ints, shape_of
from rivulet.graph.layout.stored import Stored


def concatenation(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """All parts in the order of most of them, by size."""
    parts = arguments[0] if isinstance(arguments[0], list) else arguments
    if call.attrs.axis is None or not all(isinstance(part, Stored) for part in parts):
        return None
    tensors = [part for part in parts if isinstance(part, Stored)]
    sizes: Counter[Order] = Counter()
    for tensor in tensors:
        if tensor.weight is None:
            sizes[tensor.order] += _size(tensor)
    if not sizes:
        return None
    order = sizes.most_common(1)[0][0]
    axis = order.index(axis_of(call.attrs.axis, tensors[0].rank))
    placed = [rewriter.place(tensor, order) for tensor in tensors]
    return rewriter.emit(rewriter.relax.op.concat(placed, axis), order)


def split(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Parts along one axis."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    given = call.attrs.indices_or_sections
    sections = ints(given) if hasattr(given, "__iter__") else int(given)
    axis = data.order.index(axis_of(call.attrs.axis, data.rank))
    parts = rewriter.emit(rewriter.relax.op.split(data.value, sections, axis))
    assert isinstance(parts, list)
    return [rewriter.as_lying(part, data.order) for part in parts]


def strided_slice(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """A part along some axes, whose bounds are numbers."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    bounds = [_numbers(argument) for argument in call.args[1:]]
    if any(bound is None for bound in bounds):
        return None
    axes, *rest = bounds
    assert axes is not None
    placed = [data.order.index(axis % data.rank) for axis in axes]
    new = rewriter.relax.op.strided_slice(
        data.value, placed, *rest, assume_inbound=bool(call.attrs.assume_inbound)
    )
    part = rewriter.emit(new, data.order)
    strides = rest[2] if len(rest) > 2 else [1]
    whole = isinstance(part, Stored) and part.shape == data.shape and set(strides or [1]) == {1}
    return data if whole else part


def pad(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Borders before and after each axis."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    width = ints(call.attrs.pad_width)
    lying = [n for axis in data.order for n in width[2 * axis : 2 * axis + 2]]
    new = rewriter.relax.op.nn.pad(
        data.value, lying, call.attrs.pad_mode, float(call.attrs.pad_value)
    )
    return rewriter.emit(new, data.order)


def flip(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """One axis backwards."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    axis = data.order.index(axis_of(call.attrs.axis, data.rank))
    return rewriter.emit(rewriter.relax.op.flip(data.value, axis), data.order)


def repeat(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Each element along one axis several times."""
    data = rewriter.activation(arguments[0])
    if data is None or call.attrs.axis is None:
        return None
    axis = data.order.index(axis_of(call.attrs.axis, data.rank))
    new = rewriter.relax.op.repeat(data.value, int(call.attrs.repeats), axis)
    return rewriter.emit(new, data.order)


def tile(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """The whole tensor several times along its axes."""
    data = rewriter.activation(arguments[0])
    times = ints(call.attrs.repeats)
    if data is None or len(times) > data.rank:
        return None
    times = [1] * (data.rank - len(times)) + times
    new = rewriter.relax.op.tile(data.value, [times[axis] for axis in data.order])
    return rewriter.emit(new, data.order)


def cumulative(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Sums or products along one axis."""
    data = rewriter.activation(arguments[0])
    if data is None or call.attrs.axis is None:
        return None
    operator = getattr(rewriter.relax.op, call.op.name.removeprefix("relax."))
    new = operator(
        data.value,
        data.order.index(axis_of(call.attrs.axis, data.rank)),
        call.attrs.dtype or None,
        bool(call.attrs.exclusive),
    )
    return rewriter.emit(new, data.order)


def broadcast_to(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Axes of extent 1 repeated; new ones come first."""
    data = rewriter.activation(arguments[0])
    if data is None:
        return None
    shape = shape_of(call.args[1])
    missing = len(shape) - data.rank
    order = (*range(missing), *(axis + missing for axis in data.order))
    lying = tuple(shape[axis] for axis in order)
    return rewriter.emit(rewriter.relax.op.broadcast_to(data.value, lying), order)


def take(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Rows of a table stay as it has them; along an axis of data that lies elsewhere, there."""
    data, indices = rewriter.activation(arguments[0]), arguments[1]
    if data is None or not isinstance(indices, Stored):
        return None
    if call.attrs.axis is None or indices.rank != 1:
        return None
    axis = data.order.index(axis_of(call.attrs.axis, data.rank))
    new = rewriter.relax.op.take(
        data.value, rewriter.place(indices, identity(1)), axis, call.attrs.mode
    )
    return rewriter.emit(new, data.order)


def _size(tensor: Stored) -> int:
    size = 1
    for extent in tensor.shape:
        size *= extent
    return size


def _numbers(argument: Any) -> list[int] | None:
    """Integers of a tuple of numbers."""
    try:
        return [int(getattr(field, "value", field)) for field in argument.fields]
    except (AttributeError, TypeError, ValueError):
        return None


RULES: dict[str, Rule] = {
    "relax.concat": concatenation,
    "relax.split": split,
    "relax.strided_slice": strided_slice,
    "relax.nn.pad": pad,
    "relax.flip": flip,
    "relax.repeat": repeat,
    "relax.tile": tile,
    "relax.cumsum": cumulative,
    "relax.cumprod": cumulative,
    "relax.broadcast_to": broadcast_to,
    "relax.take": take,
}
