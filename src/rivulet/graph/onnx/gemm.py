"""Gemm with known weights has nothing left to do with them at inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    drop_unread,
    is_operator,
    multiplied,
    set_attribute,
    tensor,
)

_LARGEST = 1 << 26  # elements; transposing more takes seconds, and the compiler does it as well


def plain_gemms(model: Any) -> int:
    """Transpose the known weights of each Gemm, and multiply its alpha and beta into constants.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that were changed.
    """
    graph = model.graph
    constants, fresh = Constants(graph), Fresh(graph)
    transposed: dict[tuple[str, float, bool], str] = {}
    changed = 0
    for node in graph.node:
        if not is_operator(node, "Gemm"):
            continue
        options = attributes(node)
        alpha, turned = options.get("alpha", 1.0), bool(options.get("transB", 0))
        weights = constants.value(node.input[1])
        plain = alpha == 1 and not turned
        if not plain and weights is not None and weights.size <= _LARGEST:
            key = (node.input[1], alpha, turned)
            if key not in transposed:
                transposed[key] = fresh(f"{node.input[1]}/columns")
                value = weights.T if turned else weights
                graph.initializer.append(tensor(transposed[key], _scaled(value, alpha)))
            node.input[1] = transposed[key]
            set_attribute(node, "alpha", None)
            set_attribute(node, "transB", None)
            changed += 1
        changed += _beta_into_bias(graph, node, constants, fresh)
    if changed:
        drop_unread(graph)
    return changed


def _beta_into_bias(graph: Any, node: Any, constants: Constants, fresh: Fresh) -> int:
    beta = attributes(node).get("beta", 1.0)
    bias = constants.value(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if beta == 1 or bias is None:
        return 0
    name = fresh(f"{node.input[2]}/scaled")
    graph.initializer.append(tensor(name, _scaled(bias, beta)))
    node.input[2] = name
    set_attribute(node, "beta", None)
    return 1


def _scaled(value: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return np.ascontiguousarray(value)
    return multiplied(value, factor)
