"""Normalizations as means and elementwise arithmetic, which have no layout of their own.

Only where it is the last axis that is normalized is there an operator of Relax for it, which
becomes one kernel. Statistics of images are means over pixels first; what is left to do over
channels is done on them.
"""

from __future__ import annotations

import math
from typing import Any

from rivulet.graph.converters.node import Node, RefusedError, converts


@converts("LayerNormalization")
def layer_normalization(node: Node) -> Any:
    """Over all axes from one on."""
    from tvm import relax

    x, shape = node.tensor(), node.shape()
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    last = axis == len(shape) - 1
    if last and node.outputs == 1 and node.has(2) and node.shape(1) == node.shape(2) == shape[-1:]:
        return relax.op.nn.layer_norm(x, node.tensor(1), node.tensor(2), [axis], epsilon)
    axes = list(range(axis, len(shape)))
    mean = node.emit(relax.op.mean(x, axes, keepdims=True))
    centred = node.emit(x - mean)
    factor = node.emit(_reciprocal_root(node, _mean_square(centred, axes), epsilon))
    y = centred * factor * node.tensor(1)
    if node.has(2):
        y = y + node.tensor(2)
    return [y, mean, factor][: node.outputs] if node.outputs > 1 else y


@converts("RMSNormalization", "SimplifiedLayerNormalization")
def root_mean_square_normalization(node: Node) -> Any:
    """Over all axes from one on, without taking their mean out."""
    x, shape = node.tensor(), node.shape()
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    square = _mean_square(x, list(range(axis, len(shape))))
    return x * _reciprocal_root(node, square, epsilon) * node.tensor(1)


@converts("InstanceNormalization")
def instance_normalization(node: Node) -> Any:
    """Over each channel's pixels."""
    return _by_groups(node, node.shape()[1], per_channel=True)


@converts("GroupNormalization")
def group_normalization(node: Node) -> Any:
    """Over each group of channels; scales are one for each group before opset 21."""
    groups = int(node.attributes["num_groups"])
    return _by_groups(node, groups, per_channel=node.shape(1)[0] == node.shape()[1])


def _by_groups(node: Node, groups: int, per_channel: bool) -> Any:
    from tvm import relax

    x, shape = node.tensor(), node.shape()
    axes = list(range(2, len(shape)))
    epsilon = float(node.attributes.get("epsilon", 1e-5))

    def mean_of_group(values: Any) -> Any:
        pixels = relax.op.mean(values, axes, keepdims=True) if axes else values
        return node.emit(_over_channels(pixels, shape[0], shape[1], groups, spatial=len(axes)))

    centred = node.emit(x - mean_of_group(x))
    factor = _reciprocal_root(node, mean_of_group(centred * centred), epsilon)
    scale, shift = (_for_channels(node, k, groups, per_channel) for k in (1, 2))
    return centred * (factor * scale) + shift


def _over_channels(pixels: Any, batch: int, channels: int, groups: int, *, spatial: int) -> Any:
    """Means over the channels of each group, given for each channel."""
    from tvm import relax

    if groups == channels:
        return pixels
    size = channels // groups
    means = relax.op.mean(relax.op.reshape(pixels, (batch, groups, size)), [2], keepdims=True)
    full = relax.op.broadcast_to(means, (batch, groups, size))
    return relax.op.reshape(full, (batch, channels, *(1,) * spatial))


def _for_channels(node: Node, place: int, groups: int, per_channel: bool) -> Any:
    from tvm import relax

    shape = node.shape()
    form = (1, shape[1], *(1,) * (len(shape) - 2))
    if per_channel:
        return relax.op.reshape(node.tensor(place), form)
    size = shape[1] // groups
    apart = relax.op.reshape(node.tensor(place), (groups, 1))
    return relax.op.reshape(relax.op.broadcast_to(apart, (groups, size)), form)


@converts("BatchNormalization")
def batch_normalization(node: Node) -> Any:
    """One multiplication and one addition, by what depends on weights alone.

    Raises:
        RefusedError: The model is in training mode.
    """
    from tvm import relax

    if node.attributes.get("training_mode", 0):
        raise RefusedError("the model is in training mode; export it in evaluation mode")
    form = (1, -1, *(1,) * (len(node.shape()) - 2))
    scale, shift, mean, variance = (node.tensor(place) for place in range(1, 5))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    factor = node.emit(scale / relax.op.sqrt(variance + node.scalar(epsilon, 4)))
    rest = node.emit(shift - mean * factor)
    return node.tensor() * relax.op.reshape(factor, form) + relax.op.reshape(rest, form)


@converts("MeanVarianceNormalization")
def mean_variance_normalization(node: Node) -> Any:
    """Over batch and pixels, or the given axes; an epsilon keeps constants finite."""
    from tvm import relax

    x, rank = node.tensor(), len(node.shape())
    axes = [axis % rank for axis in node.attributes.get("axes", (0, 2, 3))]
    centred = node.emit(x - relax.op.mean(x, axes, keepdims=True))
    deviation = relax.op.sqrt(_mean_square(centred, axes))
    return centred / (deviation + node.scalar(1e-9))


@converts("LpNormalization")
def lp_normalization(node: Node) -> Any:
    """Divided by the norm along an axis; zeros stay zeros."""
    from tvm import relax

    x, axis = node.tensor(), int(node.attributes.get("axis", -1)) % len(node.shape())
    if int(node.attributes.get("p", 2)) == 1:
        norm = relax.op.sum(relax.op.abs(x), [axis], keepdims=True)
    else:
        norm = relax.op.sqrt(relax.op.sum(x * x, [axis], keepdims=True))
    norm = node.emit(norm)
    nothing = relax.op.equal(norm, node.scalar(0.0))
    return x / relax.op.where(nothing, node.scalar(1.0), norm)


@converts("LRN")
def local_response_normalization(node: Node) -> Any:
    """By the squares of neighbouring channels: a sum of shifted copies."""
    from tvm import relax

    x, shape = node.tensor(), node.shape()
    size = int(node.attributes["size"])
    before = (size - 1) // 2
    widths = [0, 0, before, size - 1 - before, *(0,) * (2 * len(shape) - 4)]
    squares = node.emit(relax.op.nn.pad(node.emit(x * x), widths))
    total = None
    for k in range(size):
        shifted = relax.op.strided_slice(squares, [1], [k], [k + shape[1]])
        total = shifted if total is None else total + shifted
    alpha = float(node.attributes.get("alpha", 1e-4)) / size
    base = total * node.scalar(alpha) + node.scalar(node.attributes.get("bias", 1.0))
    base = node.emit(base)
    beta = float(node.attributes.get("beta", 0.75))
    if math.isclose(beta, 0.75):  # roots run on vectors, powers do not
        root = node.emit(relax.op.sqrt(base))
        return x / (root * relax.op.sqrt(root))
    return x / relax.op.power(base, node.scalar(beta))


def _mean_square(x: Any, axes: list[int]) -> Any:
    from tvm import relax

    return relax.op.mean(x * x, axes, keepdims=True)


def _reciprocal_root(node: Node, square: Any, epsilon: float) -> Any:
    from tvm import relax

    return node.scalar(1.0) / relax.op.sqrt(square + node.scalar(epsilon))
