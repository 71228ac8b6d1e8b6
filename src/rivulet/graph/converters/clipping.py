"""Clip, and the activations that clip: maximum and minimum, which fuse and have no layout."""

from __future__ import annotations

import math
from typing import Any

from rivulet.graph.converters.node import Node, converts


@converts("Clip")
def clip(node: Node) -> Any:
    """Between bounds that are attributes before opset 11 and may be computed ones after."""
    x = node.tensor()
    for place, name in ((1, "min"), (2, "max")):
        given = node.value(place)
        if given is None and name in node.attributes:
            given = node.attributes[name]
        if given is not None:
            x = _bounded(node, x, float(given), name) if _is_float(node) else _limit(node, x, place)
        elif node.has(place):
            x = _limit(node, x, place)
    return x


def _bounded(node: Node, x: Any, bound: float, side: str) -> Any:
    """``max(x, bound)`` for side ``min``, ``min(x, bound)`` for side ``max``; infinities are not
    bounds."""
    from tvm import relax

    if math.isinf(bound) and (bound < 0) == (side == "min"):
        return x
    if side == "min":
        return relax.op.nn.relu(x) if bound == 0 else relax.op.maximum(x, node.scalar(bound))
    return relax.op.minimum(x, node.scalar(bound))


def _is_float(node: Node) -> bool:
    """Whether the first input is of a floating point type."""
    return "float" in node.dtype()


def _limit(node: Node, x: Any, place: int) -> Any:
    from tvm import relax

    bound = node.value(place)
    limit = node.tensor(place) if bound is None else node.scalar(bound.reshape(())[()])
    return (relax.op.maximum if place == 1 else relax.op.minimum)(x, limit)


def _unit(node: Node, x: Any) -> Any:
    """``x`` between 0 and 1."""
    return _bounded(node, _bounded(node, x, 0.0, "min"), 1.0, "max")


@converts("HardSigmoid")
def hard_sigmoid(node: Node) -> Any:
    """``min(max(alpha x + beta, 0), 1)``."""
    alpha = node.scalar(node.attributes.get("alpha", 0.2))
    beta = node.scalar(node.attributes.get("beta", 0.5))
    return _unit(node, node.tensor() * alpha + beta)


@converts("HardSwish")
def hard_swish(node: Node) -> Any:
    """``x min(max(x / 6 + 1 / 2, 0), 1)``, without a division."""
    x = node.tensor()
    return x * _unit(node, x * node.scalar(1 / 6) + node.scalar(0.5))
