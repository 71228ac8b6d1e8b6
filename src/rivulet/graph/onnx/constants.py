"""Which constants are weights and which are part of the graph.

A weight is an argument of the compiled model: packed once, in the layout that a kernel wants. A
small integer constant is a shape, an axis or an index, which an importer has to know.
"""

from __future__ import annotations

import math
from typing import Any

from rivulet.graph.onnx.editing import (
    constant,
    constant_value,
    copy_of,
    dense,
    is_operator,
    replace_nodes,
    tensor,
)
from rivulet.models.onnx_files import MOST_ELEMENTS_OF_A_SHAPE


def constants_to_weights(model: Any) -> int:
    """Make weights of ``Constant`` nodes with many numbers, and of sparse weights.

    Scalars and small integer tensors stay constants.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of constants that have become weights.
    """
    graph = model.graph
    moved = len(graph.sparse_initializer)
    for sparse in graph.sparse_initializer:
        graph.initializer.append(tensor(sparse.values.name, dense(sparse)))
    del graph.sparse_initializer[:]
    kept = []
    for node in graph.node:
        value = constant_value(node) if is_operator(node, "Constant") else None
        if value is None or (value.dtype.kind in "iub" and value.size <= MOST_ELEMENTS_OF_A_SHAPE):
            kept.append(node)
        elif value.size <= 1:
            kept.append(constant(node.output[0], value))
        else:
            graph.initializer.append(tensor(node.output[0], value))
            moved += 1
    if moved:
        replace_nodes(graph, kept)
    return moved


def small_weights_to_constants(model: Any) -> int:
    """Make ``Constant`` nodes of small weights of integers or bool, and of floating-point scalars.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of weights that have become constants.
    """
    import onnx

    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)
    scalars = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    nodes = []
    for place in reversed(range(len(graph.initializer))):
        weight = graph.initializer[place]
        inline = weight.data_type in scalars and not weight.dims
        if weight.data_type in integers:
            inline = math.prod(weight.dims) <= MOST_ELEMENTS_OF_A_SHAPE
        if inline and weight.name not in kept:
            nodes.append(constant(weight.name, onnx.numpy_helper.to_array(copy_of(weight))))
            del graph.initializer[place]
    if nodes:
        replace_nodes(graph, [*reversed(nodes), *graph.node])
    return len(nodes)
