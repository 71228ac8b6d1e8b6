"""A graph without the data of its weights, for tools that serialise what they are given.

A protobuf message holds 2 GB, and copying less than that takes its time as well.
"""

from __future__ import annotations

import math
from typing import Any

from rivulet.models.onnx_files import MOST_ELEMENTS_OF_A_SHAPE


def without_weights(graph: Any) -> Any:
    """A copy of a graph for a tool that needs no weights: those with data are inputs there.

    Args:
        graph: ``onnx.GraphProto``; small weights are kept, because rewriting a node can depend on
            scales or axes.
    """
    import onnx

    bare = onnx.GraphProto(name=graph.name)
    bare.node.extend(graph.node)
    bare.input.extend(graph.input)
    bare.output.extend(graph.output)
    bare.value_info.extend(graph.value_info)
    for weight in graph.initializer:
        if _is_small(weight):
            bare.initializer.append(weight)
        else:
            bare.input.append(
                onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
            )
    return bare


def take_nodes(model: Any, rewritten: Any) -> None:
    """Take over what a tool has made of the copy `without_weights` gave it.

    Args:
        model: ``onnx.ModelProto``, changed in place; its large weights stay where they are.
        rewritten: ``onnx.ModelProto`` of the copy.
    """
    graph = model.graph
    for place in reversed(range(len(graph.initializer))):
        if _is_small(graph.initializer[place]):
            del graph.initializer[place]
    graph.initializer.extend(rewritten.graph.initializer)
    del graph.node[:]
    graph.node.extend(rewritten.graph.node)
    del graph.value_info[:]
    graph.value_info.extend(rewritten.graph.value_info)
    del model.opset_import[:]
    model.opset_import.extend(rewritten.opset_import)


def _is_small(weight: Any) -> bool:
    return int(math.prod(weight.dims)) <= MOST_ELEMENTS_OF_A_SHAPE
