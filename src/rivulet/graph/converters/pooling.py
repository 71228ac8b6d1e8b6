"""Pooling: windows as ONNX counts them, padding worked out, ceil mode included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, RefusedError, constant, converts


@dataclass(frozen=True)
class Windows:
    """Where the windows of a pooling lie, one entry for each spatial axis.

    Attributes:
        sizes: Of the input.
        kernel: Extents of a window.
        strides: Distances between windows.
        dilations: Distances between the elements of a window.
        before: Padding before the input.
        after: Padding after it, as the node says.
        outputs: Number of windows.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Extents from a window's first element to behind its last."""
        pairs = zip(self.kernel, self.dilations, strict=True)
        return tuple((size - 1) * dilation + 1 for size, dilation in pairs)

    @property
    def reached(self) -> tuple[int, ...]:
        """Padding after the input up to where the last window ends."""
        axes = zip(self.outputs, self.strides, self.spans, self.sizes, self.before, strict=True)
        return tuple(
            max((count - 1) * stride + span - size - before, 0)
            for count, stride, span, size, before in axes
        )


def windows_of(node: Node) -> Windows:
    """The windows of a pooling node."""
    sizes = node.shape()[2:]
    rank = len(sizes)
    kernel = tuple(node.attributes["kernel_shape"])
    strides = tuple(node.attributes.get("strides", (1,) * rank))
    dilations = tuple(node.attributes.get("dilations", (1,) * rank))
    pads = tuple(node.attributes.get("pads", (0,) * 2 * rank))
    automatic = node.text("auto_pad", "NOTSET")
    before, after, outputs = [], [], []
    for axis, size in enumerate(sizes):
        span = (kernel[axis] - 1) * dilations[axis] + 1
        if automatic.startswith("SAME"):
            count = -(-size // strides[axis])
            total = max((count - 1) * strides[axis] + span - size, 0)
            less = total // 2
            pair = (less, total - less) if automatic == "SAME_UPPER" else (total - less, less)
        else:
            pair = (pads[axis], pads[axis + rank]) if automatic == "NOTSET" else (0, 0)
            room = size + sum(pair) - span
            count = math.floor(room / strides[axis]) + 1
            if node.attributes.get("ceil_mode", 0):
                count = math.ceil(room / strides[axis]) + 1
                if (count - 1) * strides[axis] >= size + pair[0]:
                    count -= 1  # a window that begins in the padding behind the input
        before.append(pair[0])
        after.append(pair[1])
        outputs.append(count)
    return Windows(sizes, kernel, strides, dilations, tuple(before), tuple(after), tuple(outputs))


@converts("MaxPool")
def max_pool(node: Node) -> Any:
    """Largest value of each window, and where it is if that is asked for."""
    windows = windows_of(node)
    if node.outputs > 1:
        return _with_places(node, windows)
    return _pool(
        node, "max_pool", node.tensor(), windows, padding=(windows.before, windows.reached)
    )


@converts("AveragePool")
def average_pool(node: Node) -> Any:
    """Mean of each window, of the padding too if ``count_include_pad`` is set."""
    windows = windows_of(node)
    x, padding = node.tensor(), (windows.before, windows.reached)
    if not node.attributes.get("count_include_pad", 0):
        return _pool(node, "avg_pool", x, windows, padding=padding)
    if all(map(int.__le__, windows.reached, windows.after)):
        return _pool(node, "avg_pool", x, windows, padding=padding, count_include_pad=True)
    # What lies behind the node's own padding counts for nothing: only ceil mode reaches there.
    x = padded(node, x, windows.before, windows.after)
    rest = tuple(max(r - a, 0) for r, a in zip(windows.reached, windows.after, strict=True))
    return _pool(node, "avg_pool", x, windows, padding=((0,) * len(rest), rest))


@converts("LpPool")
def lp_pool(node: Node) -> Any:
    """Norm of each window."""
    from tvm import relax

    windows = windows_of(node)
    x, p = node.tensor(), int(node.attributes.get("p", 2))
    raised = x * x if p == 2 else relax.op.power(relax.op.abs(x), node.scalar(p))
    raised = padded(node, node.emit(raised), windows.before, windows.reached)
    nothing = ((0,) * len(windows.sizes),) * 2
    mean = _pool(node, "avg_pool", raised, windows, padding=nothing, count_include_pad=True)
    total = mean * node.scalar(math.prod(windows.kernel))
    return relax.op.sqrt(total) if p == 2 else relax.op.power(total, node.scalar(1 / p))


@converts("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(node: Node) -> Any:
    """One window that is the whole image."""
    from tvm import relax

    x, axes = node.tensor(), list(range(2, len(node.shape())))
    if node.operator == "GlobalAveragePool":
        return relax.op.mean(x, axes, keepdims=True)
    if node.operator == "GlobalMaxPool":
        return relax.op.max(x, axes, keepdims=True)
    p = int(node.attributes.get("p", 2))
    if p == 2:
        return relax.op.sqrt(relax.op.sum(x * x, axes, keepdims=True))
    total = relax.op.sum(relax.op.power(relax.op.abs(x), node.scalar(p)), axes, keepdims=True)
    return relax.op.power(total, node.scalar(1 / p))


def padded(node: Node, x: Any, before: tuple[int, ...], after: tuple[int, ...]) -> Any:
    """An image with zeros around it."""
    from tvm import relax

    if not any((*before, *after)):
        return x
    pairs = zip((0, 0, *before), (0, 0, *after), strict=True)
    return node.emit(relax.op.nn.pad(x, [entry for pair in pairs for entry in pair]))


def _pool(
    node: Node,
    kind: str,
    x: Any,
    windows: Windows,
    *,
    padding: tuple[tuple[int, ...], tuple[int, ...]],
    count_include_pad: bool = False,
) -> Any:
    from tvm import relax

    rank = len(windows.sizes)
    if rank not in (1, 2, 3):
        raise RefusedError(f"pooling over {rank} axes")
    return getattr(relax.op.nn, f"{kind}{rank}d")(
        x,
        windows.kernel,
        windows.strides,
        (*padding[0], *padding[1]),
        windows.dilations,
        False,
        count_include_pad,
    )


def _with_places(node: Node, windows: Windows) -> list[Any]:
    """The largest values, and their places in the flattened input."""
    from tvm import relax

    shape = node.shape()
    lowest = -np.inf if "float" in node.dtype() else np.iinfo(node.dtype()).min
    pairs = zip((0, 0, *windows.before), (0, 0, *windows.reached), strict=True)
    x = node.emit(
        relax.op.nn.pad(node.tensor(), [e for pair in pairs for e in pair], "constant", lowest)
    )
    axes = list(range(2, len(shape)))
    elements = list(product(*map(range, windows.kernel)))
    taken = []
    for element in elements:
        begin = [k * d for k, d in zip(element, windows.dilations, strict=True)]
        spans = zip(begin, windows.outputs, windows.strides, strict=True)
        end = [first + (count - 1) * stride + 1 for first, count, stride in spans]
        taken.append(relax.op.strided_slice(x, axes, begin, end, windows.strides))
    stacked = node.emit(relax.op.stack(taken, axis=-1))
    largest = relax.op.max(stacked, axis=-1)
    which = relax.op.argmax(stacked, axis=-1)
    # Steps of the flattened input; the last axis runs fastest, or the first of an image's.
    sizes = windows.sizes
    steps = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    if node.attributes.get("storage_order", 0):
        steps = [math.prod(sizes[:axis]) for axis in range(len(sizes))]
    within = [
        sum(k * d * s for k, d, s in zip(element, windows.dilations, steps, strict=True))
        for element in elements
    ]
    first = np.zeros((1, 1, *windows.outputs), dtype="int64")
    for axis, (count, stride, before, step) in enumerate(
        zip(windows.outputs, windows.strides, windows.before, steps, strict=True)
    ):
        along = (np.arange(count) * stride - before) * step
        first = first + along.reshape([-1 if k == axis + 2 else 1 for k in range(len(shape))])
    images = np.arange(shape[0] * shape[1]) * math.prod(sizes)
    first = first + images.reshape(shape[:2] + (1,) * len(sizes))
    places = relax.op.take(constant(np.array(within)), which, axis=0) + constant(first)
    return [largest, places]
