"""Operators whose output is known where shapes are: constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, constant, converts


@converts("Shape")
def shape(node: Node) -> Any:
    """Extents of the input, which are known."""
    extents = node.shape()
    begin, end = node.attributes.get("start", 0), node.attributes.get("end", len(extents))
    return constant(np.array(extents[begin:end], dtype="int64"))


@converts("Size")
def size(node: Node) -> Any:
    """Number of elements of the input, which is known."""
    return constant(np.array(math.prod(node.shape()), dtype="int64"))


@converts("EyeLike")
def eye_like(node: Node) -> Any:
    """Ones on a diagonal; known at compile time."""
    import onnx

    rows, columns = node.shape()
    dtype: Any = node.dtype()
    if "dtype" in node.attributes:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(node.attributes["dtype"])
    return constant(np.eye(rows, columns, int(node.attributes.get("k", 0)), dtype=dtype))


@converts("Range")
def arange(node: Node) -> Any:
    """A row of numbers, which must be known."""
    first, limit, step = (node.known(k, "limits").ravel()[0] for k in range(3))
    return constant(np.arange(first, limit, step, dtype=first.dtype))


@converts("ConstantOfShape")
def constant_of_shape(node: Node) -> Any:
    """One value everywhere."""
    import onnx

    value = node.attributes.get("value")
    filler = np.zeros(1, dtype="float32") if value is None else onnx.numpy_helper.to_array(value)
    return constant(np.full(node.integers(0, "shape") or (), filler.ravel()[0], filler.dtype))
