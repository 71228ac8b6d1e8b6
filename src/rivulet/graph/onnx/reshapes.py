"""Reshape names each extent as it is, without the shorthands 0 and -1."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    constant,
    is_operator,
    replace_nodes,
    set_attribute,
)
from rivulet.graph.onnx.static_shapes import static_shapes


def literal_reshapes(model: Any) -> int:
    """Write the shape of each Reshape out, where it is known.

    Args:
        model: ``onnx.ModelProto`` with static shapes, changed in place.

    Returns:
        Number of nodes whose shape was written anew.
    """
    graph = model.graph
    if not any(is_operator(node, "Reshape") for node in graph.node):
        return 0
    shapes, constants, fresh = static_shapes(model), Constants(graph), Fresh(graph)
    nodes: list[Any] = []
    written = 0
    for node in graph.node:
        shape = shapes.get(node.output[0]) if is_operator(node, "Reshape") else None
        if shape is not None and constants.ints(node.input[1]) != list(shape):
            node.input[1] = fresh(f"{node.output[0]}/shape")
            nodes.append(constant(node.input[1], np.array(shape, np.int64)))
            set_attribute(node, "allowzero", 1 if 0 in shape else None)
            written += 1
        nodes.append(node)
    if written:
        replace_nodes(graph, nodes)
    return written
