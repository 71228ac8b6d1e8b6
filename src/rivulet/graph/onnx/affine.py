"""Nodes that multiply a value by constants and add constants, one of each for a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import Constants, attributes, is_operator

# What takes the scale and shift of its result's channels into its weights.
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_EPSILON = 1e-5  # of a BatchNormalization without that attribute


@dataclass(frozen=True)
class Affine:
    """``scale * value + shift``, in double precision so that a chain of them is rounded once.

    Attributes:
        source: Name of the value.
        scale: Factor of each channel, shape (channels,).
        shift: What is added to each channel, shape (channels,).
    """

    source: str
    scale: np.ndarray
    shift: np.ndarray

    def after(self, scale: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift of this one applied to what has a scale and a shift already."""
        return self.scale * scale, self.scale * shift + self.shift


def affine(node: Any, constants: Constants, shape: tuple[int, ...], axis: int) -> Affine | None:
    """What a node does to a value's channels, or None where it is not affine in them.

    Args:
        node: BatchNormalization, Mul, Div, Add or Sub.
        constants: Known values of the graph.
        shape: Of the value, before and after.
        axis: Of the channels.
    """
    if is_operator(node, "BatchNormalization"):
        return batch_norm(node, constants) if axis == 1 else None
    if not is_operator(node, "Mul", "Div", "Add", "Sub") or len(node.input) != 2:
        return None
    first, second = (per_channel(constants.value(name), shape, axis) for name in node.input)
    if (first is None) == (second is None):
        return None
    value = first if second is None else second
    assert value is not None
    source = node.input[1] if second is None else node.input[0]
    one, zero = np.ones_like(value), np.zeros_like(value)
    if node.op_type == "Mul":
        return Affine(source, value, zero)
    if node.op_type == "Add":
        return Affine(source, one, value)
    if node.op_type == "Sub":
        return Affine(source, one, -value) if first is None else Affine(source, -one, value)
    if first is None and np.all(value != 0):
        return Affine(source, 1 / value, zero)
    return None  # divided by the value: not affine


def batch_norm(node: Any, constants: Constants) -> Affine | None:
    """What a BatchNormalization with known statistics does, or None where they are not known."""
    values = [constants.value(name) for name in node.input[1:5]]
    if any(value is None for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
    scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", _EPSILON))
    return Affine(node.input[0], scale, beta - mean * scale)


def per_channel(value: np.ndarray | None, shape: tuple[int, ...], axis: int) -> np.ndarray | None:
    """A constant operand as one number for each channel, or None where it is not that.

    Args:
        value: Constant that is broadcast against a value of the shape, or None.
        shape: Of the other operand and of the result.
        axis: Of the channels, from 0.
    """
    if value is None or value.dtype.kind != "f" or value.ndim > len(shape):
        return None
    full = (1,) * (len(shape) - value.ndim) + value.shape
    if any(extent != 1 for place, extent in enumerate(full) if place != axis):
        return None
    if full[axis] not in (1, shape[axis]):
        return None
    return np.broadcast_to(value.reshape(-1).astype(np.float64), (shape[axis],))
