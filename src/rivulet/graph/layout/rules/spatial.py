"""Convolutions, poolings and resizes: channels last."""

from __future__ import annotations

from typing import Any

from rivulet.graph.layout.order import channels_last, identity
from rivulet.graph.layout.rewrite import Rewriter, Rule, Value
from rivulet.graph.layout.rules.attributes import ints
from rivulet.graph.layout.stored import Stored

_SPACE = {3: "W", 4: "HW", 5: "DHW"}


def convolution(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Data with channels last, weights with outputs last and inputs before them."""
    data, kernel = arguments
    if not (isinstance(data, Stored) and isinstance(kernel, Stored)):
        return None
    attributes, rank = call.attrs, data.rank
    if attributes.data_layout != f"NC{_SPACE[rank]}":
        return None
    space = _SPACE[rank]
    weights = rewriter.place(kernel, (*range(2, rank), 1, 0))
    as_it_comes = rewriter.is_input(data) and data.order == identity(rank)
    if rank == 4 and as_it_comes and not attributes.out_dtype:
        new = rewriter.builder.call_te(
            te_image_convolution,
            data.value,
            weights,
            ints(attributes.strides),
            ints(attributes.padding),
            ints(attributes.dilation),
            int(attributes.groups),
            primfunc_name_hint="image_conv2d",
        )
        return rewriter.emit(new, channels_last(rank))
    new = getattr(rewriter.relax.op.nn, call.op.name.removeprefix("relax.nn."))(
        rewriter.place(data, channels_last(rank)),
        weights,
        strides=ints(attributes.strides),
        padding=ints(attributes.padding),
        dilation=ints(attributes.dilation),
        groups=int(attributes.groups),
        data_layout=f"N{space}C",
        kernel_layout=f"{space}IO",
        out_dtype=attributes.out_dtype or None,
    )
    return rewriter.emit(new, channels_last(rank))


def te_image_convolution(
    image: Any,
    kernel: Any,
    strides: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Any:
    """A convolution that reads a model's input as it comes, channels first.

    Transposing it first would read and write all of it once more; here the border is put around it
    at the same time.

    Args:
        image: Tensor of shape (batch, channels, height, width).
        kernel: Tensor of shape (height, width, channels of a group, outputs).
        strides: Of height and width.
        padding: Above, left, below, right.
        dilation: Of height and width.
        groups: Number of groups of channels.
    """
    from tvm import te, topi

    batch, channels, height, width = image.shape
    pixels = te.compute(
        (batch, height, width, channels), lambda b, y, x, c: image[b, c, y, x], name="pixels"
    )
    return topi.nn.conv(
        pixels, kernel, strides, padding, dilation, groups, data_layout="NHWC", kernel_layout="HWIO"
    )


def pooling(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Poolings over windows."""
    attributes = call.attrs
    return _pooled(
        rewriter,
        call,
        arguments[0],
        pool_size=ints(attributes.pool_size),
        strides=ints(attributes.strides),
        padding=ints(attributes.padding),
        dilation=ints(attributes.dilation),
        ceil_mode=bool(attributes.ceil_mode),
        count_include_pad=bool(attributes.count_include_pad),
    )


def adaptive_pooling(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Poolings to a size."""
    size = None if call.attrs.output_size is None else ints(call.attrs.output_size)
    return _pooled(rewriter, call, arguments[0], output_size=size)


def _pooled(rewriter: Rewriter, call: Any, data: Value, **settings: Any) -> Value | None:
    if not isinstance(data, Stored) or call.attrs.layout != f"NC{_SPACE[data.rank]}":
        return None
    pool = getattr(rewriter.relax.op.nn, call.op.name.removeprefix("relax.nn."))
    placed = rewriter.place(data, channels_last(data.rank))
    new = pool(placed, layout=f"N{_SPACE[data.rank]}C", **settings)
    return rewriter.emit(new, channels_last(data.rank))


def resize(rewriter: Rewriter, call: Any, arguments: list[Value]) -> Value | None:
    """Resizes of images."""
    data, attributes = arguments[0], call.attrs
    if not isinstance(data, Stored) or attributes.layout != "NCHW":
        return None
    new = rewriter.relax.op.image.resize2d(
        rewriter.place(data, channels_last(4)),
        call.args[1],
        roi=[float(number) for number in attributes.roi],
        layout="NHWC",
        method=attributes.method,
        coordinate_transformation_mode=attributes.coordinate_transformation_mode,
        rounding_method=attributes.rounding_method,
        cubic_alpha=float(attributes.cubic_alpha),
        cubic_exclude=int(attributes.cubic_exclude),
        extrapolation_value=float(attributes.extrapolation_value),
        out_dtype=attributes.out_dtype or None,
    )
    return rewriter.emit(new, channels_last(4))


RULES: dict[str, Rule] = {
    **{f"relax.nn.conv{n}d": convolution for n in (1, 2, 3)},
    **{f"relax.nn.{kind}_pool{n}d": pooling for kind in ("max", "avg") for n in (1, 2, 3)},
    **{f"relax.nn.adaptive_avg_pool{n}d": adaptive_pooling for n in (1, 2, 3)},
    "relax.image.resize2d": resize,
}
