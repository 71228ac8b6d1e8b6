"""Transposed convolutions as ordinary ones, which are tuned, and know channels last.

Along an axis of stride s, output s q + r is the sum over j of x[q - j] w[s j + r]: one ordinary
convolution of stride 1 for each r (a sub-pixel convolution; Shi et al., arXiv:1609.05158, and
arXiv:1609.07009 for the equivalence). Its s results are the channels of one convolution here, and
are interleaved behind it. A kernel that is no multiple of the stride is filled up with zeros;
with stride 1 what is left is a convolution with the kernel reversed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rivulet.graph.converters.node import Node, RefusedError, converts


@dataclass(frozen=True)
class Axis:
    """One spatial axis of a transposed convolution.

    Attributes:
        size: Extent of the input.
        kernel: Extent of the kernel.
        stride: Distance at which inputs lie in the output.
        dilation: Distance between elements of the kernel.
        before: Outputs that are cut off at the begin.
        output: Extent of the output.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    output: int

    @property
    def taps(self) -> int:
        """Elements of the kernel that each of the ordinary convolutions has."""
        if self.stride == 1:
            return self.kernel
        return -(-((self.kernel - 1) * self.dilation + 1) // self.stride)

    @property
    def step(self) -> int:
        """Dilation of the ordinary convolution; at a stride the kernel has the zeros in it."""
        return self.dilation if self.stride == 1 else 1

    @property
    def first(self) -> int:
        """First q that is computed."""
        return self.before // self.stride

    @property
    def count(self) -> int:
        """Number of q that are computed."""
        return -(-(self.before + self.output) // self.stride) - self.first

    @property
    def padding(self) -> tuple[int, int]:
        """Of the ordinary convolution; negative where inputs are not used."""
        reach = (self.taps - 1) * self.step
        return reach - self.first, self.first + self.count - self.size


@converts("ConvTranspose")
def transposed_convolution(node: Node) -> Any:
    """One ordinary convolution, an interleaving of its channels, and the bias."""
    from tvm import relax

    axes = _axes(node)
    rank = len(axes)
    if rank not in (1, 2, 3):
        raise RefusedError(f"a transposed convolution over {rank} axes")
    groups = int(node.attributes.get("group", 1))
    inputs, padding = _cut(node, axes)
    letters = "DHW"[3 - rank :]
    y = getattr(relax.op.nn, f"conv{rank}d")(
        inputs,
        _kernel(node, axes, groups),
        strides=1,
        padding=[pair[0] for pair in padding] + [pair[1] for pair in padding],
        dilation=[axis.step for axis in axes],
        groups=groups,
        data_layout=f"NC{letters}",
        kernel_layout=f"OI{letters}",
    )
    y = _interleaved(node, node.emit(y), axes, groups)
    if node.has(2):
        y = y + relax.op.reshape(node.tensor(2), (1, -1, *(1,) * rank))
    return y


def _axes(node: Node) -> list[Axis]:
    attributes = node.attributes
    sizes, kernel = node.shape()[2:], node.shape(1)[2:]
    rank = len(sizes)
    strides = attributes.get("strides", (1,) * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    extra = attributes.get("output_padding", (0,) * rank)
    automatic = node.text("auto_pad", "NOTSET")
    wanted = attributes.get("output_shape")
    if wanted is None and automatic.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    found = []
    for k in range(rank):
        full = (sizes[k] - 1) * strides[k] + (kernel[k] - 1) * dilations[k] + 1 + extra[k]
        if wanted is not None:
            output = wanted[len(wanted) - rank + k]
            total = max(full - output, 0)
            before = total - total // 2 if automatic == "SAME_LOWER" else total // 2
            if automatic == "NOTSET":
                before = total - total // 2
        else:
            before, after = (pads[k], pads[k + rank]) if automatic == "NOTSET" else (0, 0)
            output = full - before - after
        found.append(Axis(sizes[k], kernel[k], strides[k], dilations[k], before, output))
    return found


def _cut(node: Node, axes: list[Axis]) -> tuple[Any, list[tuple[int, int]]]:
    """The input without what no output reads, and the padding of the ordinary convolution."""
    from tvm import relax

    x = node.tensor()
    padding = [axis.padding for axis in axes]
    if any(entry < 0 for pair in padding for entry in pair):
        x = relax.op.strided_slice(
            x,
            [k + 2 for k in range(len(axes))],
            [max(-pair[0], 0) for pair in padding],
            [axis.size - max(-pair[1], 0) for axis, pair in zip(axes, padding, strict=True)],
        )
    return x, [(max(first, 0), max(last, 0)) for first, last in padding]


def _kernel(node: Node, axes: list[Axis], groups: int) -> Any:
    """Weights of the ordinary convolution: work on weights alone, done once.

    Channels are ordered by group, output channel of the group, then r of each axis.
    """
    from tvm import relax

    op = relax.op
    w = node.tensor(1)
    c_in, per_group, *_ = node.shape(1)
    rank = len(axes)
    for k, axis in enumerate(axes):
        w = _filled(node, w, k + 2, axis)
    split = [extent for axis in axes for extent in (axis.taps, axis.stride)]
    w = op.reshape(w, (groups, c_in // groups, per_group, *split))
    taps, phases = [3 + 2 * k for k in range(rank)], [4 + 2 * k for k in range(rank)]
    w = op.permute_dims(w, [0, 2, *phases, 1, *taps])
    outputs = groups * per_group * math.prod(axis.stride for axis in axes)
    w = op.reshape(w, (outputs, c_in // groups, *(axis.taps for axis in axes)))
    for k, axis in enumerate(axes):
        if axis.taps > 1:
            w = op.flip(w, k + 2)
    return w


def _filled(node: Node, w: Any, place: int, axis: Axis) -> Any:
    """The kernel with the zeros of its dilation, and filled up to a multiple of the stride."""
    from tvm import relax

    if axis.stride == 1:
        return w
    w = node.emit(w)
    shape = [int(extent) for extent in w.ty.shape]
    if axis.dilation > 1:
        w = relax.op.reshape(w, (*shape[: place + 1], 1, *shape[place + 1 :]))
        pads = [0] * (2 * len(shape) + 2)
        pads[2 * place + 3] = axis.dilation - 1
        shape[place] *= axis.dilation
        w = relax.op.reshape(relax.op.nn.pad(w, pads), shape)
    rest = axis.taps * axis.stride - shape[place]
    if rest < 0:
        return relax.op.strided_slice(w, [place], [0], [axis.taps * axis.stride])
    if rest:
        pads = [0] * (2 * len(shape))
        pads[2 * place + 1] = rest
        w = relax.op.nn.pad(w, pads)
    return w


def _interleaved(node: Node, y: Any, axes: list[Axis], groups: int) -> Any:
    """Each axis's s channels side by side along it, cut to what the node gives."""
    from tvm import relax

    if all(axis.stride == 1 for axis in axes):
        return y
    batch, channels = node.shape()[0], node.shape(1)[1] * groups
    rank = len(axes)
    strides, counts = [axis.stride for axis in axes], [axis.count for axis in axes]
    y = relax.op.reshape(y, (batch, channels, *strides, *counts))
    order = [entry for k in range(rank) for entry in (2 + rank + k, 2 + k)]
    y = relax.op.permute_dims(y, [0, 1, *order])
    full = [count * stride for count, stride in zip(counts, strides, strict=True)]
    y = relax.op.reshape(y, (batch, channels, *full))
    begin = [axis.before - axis.first * axis.stride for axis in axes]
    end = [first + axis.output for first, axis in zip(begin, axes, strict=True)]
    if not any(begin) and end == full:
        return y
    return relax.op.strided_slice(y, [k + 2 for k in range(rank)], begin, end)
