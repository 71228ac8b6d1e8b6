"""Arithmetic in which TVM's importer differs from ONNX, or hides operators from the passes."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, RefusedError, constant, converts, dtype_of, shape_of


@converts("Sum", "Max", "Min", "Mean")
def many_inputs(node: Node) -> Any:
    """A chain of operators of two arguments, each of which broadcasts."""
    from tvm import relax

    operators = {
        "Sum": relax.op.add, "Mean": relax.op.add,
        "Max": relax.op.maximum, "Min": relax.op.minimum,
    }  # fmt: skip
    inputs = [node.tensor(place) for place in range(len(node.inputs))]
    total = reduce(operators[node.operator], inputs)
    if node.operator == "Mean" and len(inputs) > 1:
        return total * node.scalar(1 / len(inputs))
    return total


@converts("Pow")
def power(node: Node) -> Any:
    """Powers of small constants as products and roots, which run on vectors.

    Integers are raised as floats, and rounded: TVM has powers of floats only.
    """
    from tvm import relax

    x, dtype = node.tensor(), node.dtype()
    if "float" not in dtype:
        wide = "float64"
        exponent = relax.op.astype(node.tensor(1), wide)
        raised = relax.op.power(relax.op.astype(x, wide), exponent)
        return relax.op.astype(_truncated(node, raised, wide), dtype)
    known = node.value(1)
    if known is not None and known.size == 1:
        return _small_power(node, x, float(known.ravel()[0]), known.shape)
    exponent = node.tensor(1)
    if node.dtype(1) != dtype:
        exponent = relax.op.astype(exponent, dtype)
    return relax.op.power(x, exponent)


def _truncated(node: Node, raised: Any, dtype: str) -> Any:
    """Without the last bits by which a float power may lie below an integer."""
    from tvm import relax

    raised = node.emit(raised)
    nearest = relax.op.round(raised)
    near = relax.op.less(relax.op.abs(raised - nearest), constant(1e-6, dtype))
    return relax.op.where(near, nearest, relax.op.trunc(raised))


def _small_power(node: Node, x: Any, exponent: float, shape: tuple[int, ...]) -> Any:
    from tvm import relax

    if len(shape) > len(node.shape()):
        return relax.op.power(x, constant(np.full(shape, exponent), node.dtype()))
    return relax.op.power(x, node.scalar(exponent))


@converts("Mod")
def modulo(node: Node) -> Any:
    """With the divisor's sign, or with the dividend's where ``fmod`` is set."""
    from tvm import relax

    x, divisor = node.tensor(), node.tensor(1)
    if node.attributes.get("fmod", 0):
        return relax.op.mod(x, divisor)
    if "float" not in node.dtype():
        return relax.op.floor_mod(x, divisor)
    rest = node.emit(relax.op.mod(x, divisor))
    zero = node.scalar(0.0)
    signs = relax.op.logical_xor(relax.op.less(rest, zero), relax.op.less(divisor, zero))
    moved = relax.op.logical_and(signs, relax.op.not_equal(rest, zero))
    return relax.op.where(moved, rest + divisor, rest)


@converts("BitShift")
def shift_bits(node: Node) -> Any:
    """Zero where as many bits or more are shifted as there are."""
    from tvm import relax

    dtype = node.dtype()
    bits = np.iinfo(dtype).bits
    x, distance = node.tensor(), node.tensor(1)
    right = node.text("direction", "") == "RIGHT"
    inside = relax.op.logical_and(
        relax.op.less(distance, constant(bits, dtype)),
        relax.op.greater_equal(distance, constant(0, dtype)),
    )
    safe = relax.op.where(inside, distance, constant(0, dtype))
    shifted = (relax.op.right_shift if right else relax.op.left_shift)(x, safe)
    beyond = constant(0, dtype)
    if right and not dtype.startswith("uint"):
        beyond = relax.op.right_shift(x, constant(bits - 1, dtype))  # copies of the sign
    return relax.op.where(inside, shifted, beyond)


@converts("IsInf")
def is_infinite(node: Node) -> Any:
    """Of either sign, or of one."""
    from tvm import relax

    found = relax.op.isinf(node.tensor())
    signs = (node.attributes.get("detect_negative", 1), node.attributes.get("detect_positive", 1))
    if signs == (1, 1):
        return found
    if signs == (0, 0):
        return relax.op.logical_and(found, constant(False))
    side = relax.op.less if signs[0] else relax.op.greater
    return relax.op.logical_and(found, side(node.tensor(), node.scalar(0.0)))


@converts("Dropout")
def dropout(node: Node) -> Any:
    """The input as it is, and a mask that keeps everything.

    Raises:
        RefusedError: The model is in training mode.
    """
    from tvm import relax

    ratio = node.value(1) if node.has(1) else np.asarray(node.attributes.get("ratio", 0.5))
    if node.has(2) and node.known(2, "mode").any() and (ratio is None or ratio.any()):
        raise RefusedError("the model is in training mode; export it in evaluation mode")
    if node.outputs == 1:
        return node.tensor()
    return [node.tensor(), relax.op.full(node.shape(), constant(True), "bool")]


@converts("Div")
def divide(node: Node) -> Any:
    """Integers are rounded towards zero."""
    from tvm import relax

    x, divisor = node.tensor(), node.tensor(1)
    known = node.value(1)
    if "float" in node.dtype() and known is not None and known.size == 1:
        scale = 1 / float(known.ravel()[0]) if known.any() else 0.0
        # A power of two: the product is the quotient to the last bit.
        if scale and float(np.log2(abs(scale))).is_integer():
            return relax.op.multiply(x, constant(np.full(known.shape, scale), dtype_of(x)))
    return relax.op.divide(x, divisor)


@converts("Det")
def determinant(node: Node) -> Any:
    """Refused beyond what a formula covers."""
    from tvm import relax

    x = node.tensor()
    if shape_of(x)[-2:] != (2, 2):
        raise RefusedError("a determinant of more than two rows")
    rank = len(shape_of(x))

    def entry(row: int, column: int) -> Any:
        cell = relax.op.strided_slice(x, [rank - 2, rank - 1], [row, column], [row + 1, column + 1])
        return relax.op.squeeze(cell, [rank - 2, rank - 1])

    return entry(0, 0) * entry(1, 1) - entry(0, 1) * entry(1, 0)
