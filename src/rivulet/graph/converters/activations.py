"""Activation functions as elementwise Relax operators, which fuse and have no layout."""

from __future__ import annotations

import math
from typing import Any

from rivulet.graph.converters.node import Node, converts

_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875
# exp(x) * (exp(x) + 2) of these is finite, and mish(x) rounds to x beyond.
_MISH_SATURATES = {"float16": 5.0, "float32": 20.0}


@converts("Gelu")
def gelu(node: Node) -> Any:
    """By the error function, or by its approximation with a hyperbolic tangent."""
    from tvm import relax

    x = node.tensor()
    half, one = node.scalar(0.5), node.scalar(1.0)
    if node.text("approximate", "none") == "tanh":
        inner = x * (one + node.scalar(0.044715) * (x * x)) * node.scalar(math.sqrt(2 / math.pi))
        return x * half * (one + relax.op.tanh(inner))
    return x * half * (one + relax.op.erf(x * node.scalar(math.sqrt(0.5))))


@converts("Swish")
def swish(node: Node) -> Any:
    """``x sigmoid(alpha x)``."""
    from tvm import relax

    x = node.tensor()
    alpha = float(node.attributes.get("alpha", 1.0))
    return x * relax.op.sigmoid(x if alpha == 1 else x * node.scalar(alpha))


@converts("Mish")
def mish(node: Node) -> Any:
    """``x tanh(log(1 + e^x))``, which is ``x n / (n + 2)`` with ``n = e^x (e^x + 2)``."""
    from tvm import relax

    x = node.tensor()
    limit = node.scalar(_MISH_SATURATES.get(node.dtype(), 20.0))
    e = node.emit(relax.op.exp(relax.op.minimum(x, limit)))
    n = node.emit(e * (e + node.scalar(2.0)))
    return x * (n / (n + node.scalar(2.0)))


@converts("Softplus")
def softplus(node: Node) -> Any:
    """``log(1 + e^x)`` as ``max(x, 0) + log(1 + e^-|x|)``, which cannot overflow."""
    from tvm import relax

    x = node.tensor()
    tail = relax.op.log(node.scalar(1.0) + relax.op.exp(-relax.op.abs(x)))
    return relax.op.nn.relu(x) + tail


@converts("Softsign")
def softsign(node: Node) -> Any:
    """``x / (1 + |x|)``."""
    from tvm import relax

    return node.tensor() / (node.scalar(1.0) + relax.op.abs(node.tensor()))


def _exponential(node: Node, alpha: float, inner: float = 1.0) -> Any:
    """``x`` where it is positive, else ``alpha (e^(inner x) - 1)``."""
    from tvm import relax

    x = node.tensor()
    negative = relax.op.minimum(x, node.scalar(0.0))
    if inner != 1:
        negative = negative * node.scalar(inner)
    return relax.op.nn.relu(x) + node.scalar(alpha) * (relax.op.exp(negative) - node.scalar(1.0))


@converts("Elu")
def elu(node: Node) -> Any:
    """``alpha (e^x - 1)`` below zero."""
    return _exponential(node, float(node.attributes.get("alpha", 1.0)))


@converts("Celu")
def celu(node: Node) -> Any:
    """``alpha (e^(x / alpha) - 1)`` below zero."""
    alpha = float(node.attributes.get("alpha", 1.0))
    return _exponential(node, alpha, 1 / alpha)


@converts("Selu")
def selu(node: Node) -> Any:
    """``gamma`` times the exponential unit of ``alpha``."""
    gamma = float(node.attributes.get("gamma", _SELU_GAMMA))
    return node.scalar(gamma) * _exponential(node, node.attributes.get("alpha", _SELU_ALPHA))


@converts("LeakyRelu")
def leaky_relu(node: Node) -> Any:
    """``x`` times a slope where it is negative."""
    return _leaky(node, node.scalar(node.attributes.get("alpha", 0.01)))


@converts("PRelu")
def parametric_relu(node: Node) -> Any:
    """``x`` times a trained slope, which broadcasts, where it is negative."""
    return _leaky(node, node.tensor(1))


def _leaky(node: Node, slope: Any) -> Any:
    from tvm import relax

    x = node.tensor()
    zero = node.scalar(0)
    return relax.op.maximum(x, zero) + slope * relax.op.minimum(x, zero)


@converts("ThresholdedRelu")
def thresholded_relu(node: Node) -> Any:
    """``x`` above alpha, else zero."""
    from tvm import relax

    x = node.tensor()
    alpha = node.scalar(node.attributes.get("alpha", 1.0))
    return relax.op.where(relax.op.greater(x, alpha), x, node.scalar(0.0))


@converts("Shrink")
def shrink(node: Node) -> Any:
    """``x - bias`` above lambd, ``x + bias`` below its negative, else zero."""
    from tvm import relax

    x = node.tensor()
    limit, bias = node.attributes.get("lambd", 0.5), node.scalar(node.attributes.get("bias", 0.0))
    above = relax.op.greater(x, node.scalar(limit))
    below = relax.op.less(x, node.scalar(-limit))
    otherwise = relax.op.where(below, x + bias, node.scalar(0))
    return relax.op.where(above, x - bias, otherwise)


@converts("Hardmax")
def hardmax(node: Node) -> Any:
    """One at the first largest value along an axis, else zero."""
    from tvm import relax

    from rivulet.graph.converters.selection import equals_range

    x = node.tensor()
    if node.opset < 13:
        x = _flattened(node, x, int(node.attributes.get("axis", 1)))
        axis = 1
    else:
        axis = int(node.attributes.get("axis", -1)) % len(node.shape())
    largest = node.emit(relax.op.argmax(x, axis=axis, keepdims=True))
    found = equals_range(largest, axis, int(x.ty.shape[axis]), x.ty.ndim)
    return relax.op.reshape(relax.op.astype(found, node.dtype()), node.shape())


def _flattened(node: Node, x: Any, axis: int) -> Any:
    """Two dimensions, as operator sets before 13 see the input."""
    from tvm import relax

    shape = node.shape()
    rows = math.prod(shape[: axis % (len(shape) + 1) if axis < 0 else axis])
    return node.emit(relax.op.reshape(x, (rows, math.prod(shape) // rows)))
