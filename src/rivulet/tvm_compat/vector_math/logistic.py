"""The logistic function, which neural networks call sigmoid."""

from __future__ import annotations

from rivulet.tvm_compat.vector_math.exponential import exp_of_negative
from rivulet.tvm_compat.vector_math.llvm import Function, Value


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + exp(-x)), without the overflow that makes zero of it below -88.

    With z = exp(-|x|) it is z / (1 + z) for negative x and 1 / (1 + z) for the others.
    """
    z = exp_of_negative(f, f.constant(-0.0) - f.magnitude(x))
    return f.select(x < 0.0, z, 1.0) / (z + 1.0)
