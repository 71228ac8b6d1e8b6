"""Blocks of an image added up where they lie: the inverse of cutting an image into blocks.

One axis after the other. Along an axis of stride s, blocks are split into pieces of s elements: the
first pieces of all blocks lie side by side and are one row, so are the second ones, and the sum is
that of these rows, each s further than the one before. Blocks that do not overlap are one piece,
and only move.
"""

from __future__ import annotations

from typing import Any

from rivulet.graph.converters.node import Node, converts, shape_of


@converts("Col2Im")
def col2im(node: Node) -> Any:
    """Any number of spatial axes; sizes of the image and of a block must be known."""
    from tvm import relax

    sizes, blocks = node.integers(1, "image_shape") or [], node.integers(2, "block_shape") or []
    rank = len(sizes)
    strides = node.attributes.get("strides", (1,) * rank)
    dilations = node.attributes.get("dilations", (1,) * rank)
    pads = node.attributes.get("pads", (0,) * 2 * rank)
    reaches = [(blocks[k] - 1) * dilations[k] + 1 for k in range(rank)]
    counts = [
        (sizes[k] + pads[k] + pads[k + rank] - reaches[k]) // strides[k] + 1 for k in range(rank)
    ]
    x = relax.op.reshape(node.tensor(), (node.shape()[0], -1, *blocks, *counts))
    order = [place for k in range(rank) for place in (2 + rank + k, 2 + k)]
    x = node.emit(relax.op.permute_dims(x, [0, 1, *order]))
    for k in range(rank):
        x = _dilated(node, x, k + 3, dilations[k], extent=-(-reaches[k] // strides[k]) * strides[k])
        x = _added_up(node, x, k + 2, strides[k])
        x = _fitted(node, x, k + 2, pads[k], extent=sizes[k])
    return x


def _dilated(node: Node, x: Any, place: int, dilation: int, *, extent: int) -> Any:
    """Elements of a block at their distance, with zeros between and behind up to the extent."""
    from tvm import relax

    if dilation > 1:
        shape = shape_of(x)
        x = relax.op.reshape(x, (*shape[: place + 1], 1, *shape[place + 1 :]))
        x = _padded(node, x, place + 1, 0, after=dilation - 1)
        x = relax.op.reshape(x, (*shape[:place], shape[place] * dilation, *shape[place + 1 :]))
        x = node.emit(x)
    return _fitted(node, x, place, 0, extent=extent)


def _added_up(node: Node, x: Any, place: int, stride: int) -> Any:
    """The blocks along an axis, and their elements on the axis behind it, as one axis."""
    from tvm import relax

    shape = shape_of(x)
    count, pieces = shape[place], shape[place + 1] // stride
    total = None
    for piece in range(pieces):
        row = relax.op.strided_slice(x, [place + 1], [piece * stride], [(piece + 1) * stride])
        row = relax.op.reshape(row, (*shape[:place], count * stride, *shape[place + 2 :]))
        row = _padded(node, row, place, piece * stride, after=(pieces - 1 - piece) * stride)
        total = row if total is None else node.emit(relax.op.add(total, row))
    return total


def _fitted(node: Node, x: Any, place: int, begin: int, *, extent: int) -> Any:
    """A part of an axis; zeros stand where it reaches beyond the end."""
    from tvm import relax

    given = shape_of(x)[place]
    x = _padded(node, x, place, 0, after=max(begin + extent - given, 0))
    if (begin, extent) == (0, shape_of(x)[place]):
        return x
    return node.emit(relax.op.strided_slice(x, [place], [begin], [begin + extent]))


def _padded(node: Node, x: Any, place: int, before: int, *, after: int) -> Any:
    """Zeros before and behind along an axis."""
    from tvm import relax

    x = node.emit(x)
    if not before and not after:
        return x
    widths = [0] * (2 * len(shape_of(x)))
    widths[2 * place : 2 * place + 2] = before, after
    return node.emit(relax.op.nn.pad(x, widths))
