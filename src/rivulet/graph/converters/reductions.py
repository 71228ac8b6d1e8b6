"""Reductions over axes that are an attribute in older operator sets and an input in newer ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, constant, converts


@converts(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip
def reduction(node: Node) -> Any:
    """Over the given axes, or all."""
    from tvm import relax

    op, x, rank = relax.op, node.tensor(), len(node.shape())
    axes = node.integers(1, "axes")
    keep = bool(node.attributes.get("keepdims", 1))
    if not axes:
        axes = [] if node.attributes.get("noop_with_empty_axes", 0) else list(range(rank))
    axes = sorted(axis % rank for axis in axes)
    match node.operator.removeprefix("Reduce"):
        case "Sum":
            return _over(op.sum, x, axes, keep)
        case "Mean":
            return _mean(node, x, axes, keep)
        case "Max":
            return _extreme(node, op.max, axes, keep)
        case "Min":
            return _extreme(node, op.min, axes, keep)
        case "Prod":
            return _over(op.prod, x, axes, keep)
        case "L1":
            return _over(op.sum, op.abs(x), axes, keep)
        case "L2":
            total = _over(op.sum, x * x, axes, keep)
            if "float" in node.dtype():
                return op.sqrt(total)
            return op.astype(op.sqrt(op.astype(total, "float64")), node.dtype())
        case "LogSum":
            return op.log(_over(op.sum, x, axes, keep))
        case "SumSquare":
            return _over(op.sum, x * x, axes, keep)
        case _:
            return _log_sum_exp(node, x, axes, keep)


def _over(function: Any, x: Any, axes: list[int], keep: bool) -> Any:
    return function(x, axes, keepdims=keep) if axes else x


def _mean(node: Node, x: Any, axes: list[int], keep: bool) -> Any:
    from tvm import relax

    if "float" in node.dtype():
        return _over(relax.op.mean, x, axes, keep)
    count = math.prod(node.shape()[axis] for axis in axes)
    total = relax.op.astype(_over(relax.op.sum, x, axes, keep), "float64")
    return relax.op.astype(total / constant(count, "float64"), node.dtype())


def _extreme(node: Node, function: Any, axes: list[int], keep: bool) -> Any:
    from tvm import relax

    if "float" in node.dtype() and axes:
        return _extreme_float(node, function, axes, keep)
    if node.dtype() != "bool":
        return _over(function, node.tensor(), axes, keep)
    numbers = relax.op.astype(node.tensor(), "int8")
    return relax.op.astype(_over(function, numbers, axes, keep), "bool")


def _extreme_float(node: Node, function: Any, axes: list[int], keep: bool) -> Any:
    """TVM starts at the last finite number: what is infinite throughout would come out as that.

    Such rows are masks, and what is behind them compares with infinity. They are known by their
    result and their first entry.
    """
    from tvm import relax

    x, limits = node.tensor(), np.finfo(node.dtype())
    start = float(limits.min if node.operator == "ReduceMax" else limits.max)
    nothing = node.scalar(math.copysign(math.inf, start))
    found = node.emit(function(x, axes, keepdims=True))
    first = relax.op.strided_slice(x, axes, [0] * len(axes), [1] * len(axes))
    empty = relax.op.logical_and(
        relax.op.equal(found, node.scalar(start)), relax.op.equal(first, nothing)
    )
    result = relax.op.where(empty, nothing, found)
    return result if keep else relax.op.squeeze(result, axes)


def _log_sum_exp(node: Node, x: Any, axes: list[int], keep: bool) -> Any:
    """With the largest value taken out, so that no exponential overflows."""
    from tvm import relax

    if not axes:
        return x
    largest = node.emit(relax.op.max(x, axes, keepdims=True))
    total = relax.op.sum(relax.op.exp(x - largest), axes, keepdims=True)
    result = relax.op.log(total) + largest
    return result if keep else relax.op.squeeze(result, axes)
