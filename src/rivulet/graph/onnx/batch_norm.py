"""A BatchNormalization that stands alone is one multiplication and one addition."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.affine import batch_norm
from rivulet.graph.onnx.editing import Constants, Fresh, drop_unread, is_operator, replace_nodes
from rivulet.graph.onnx.static_shapes import static_shapes


def lone_batch_norms(model: Any) -> int:
    """Write what is left of BatchNormalization as Mul and Add with two constants.

    Compilers take the operator apart into five with the statistics as arguments, and then root and
    divide them in each inference. The constants are computed in double precision and rounded once.

    Args:
        model: ``onnx.ModelProto`` of opset 13 or newer, changed in place.

    Returns:
        Number of nodes that were rewritten.
    """
    graph = model.graph
    if not any(is_operator(node, "BatchNormalization") for node in graph.node):
        return 0
    import onnx

    shapes, constants, fresh = static_shapes(model), Constants(graph), Fresh(graph)
    nodes: list[Any] = []
    written = 0
    for node in graph.node:
        if not is_operator(node, "BatchNormalization"):
            nodes.append(node)
            continue
        known, shape = batch_norm(node, constants), shapes.get(node.input[0])
        if known is None or shape is None:
            nodes.append(node)
            continue
        stored = constants.value(node.input[1])
        assert stored is not None  # the scale is among what batch_norm has read
        channels = (1, -1, *(1,) * (len(shape) - 2))
        output = node.output[0]
        names = [fresh(f"{output}/{part}") for part in ("scale", "shift", "scaled")]
        for name, value in zip(names, (known.scale, known.shift), strict=False):
            weight = value.reshape(channels).astype(stored.dtype)
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(weight), name))
        nodes.append(onnx.helper.make_node("Mul", [node.input[0], names[0]], [names[2]]))
        nodes.append(onnx.helper.make_node("Add", [names[2], names[1]], [output]))
        written += 1
    if written:
        replace_nodes(graph, nodes)
        drop_unread(graph)
    return written
