"""Cut a part out of an ONNX graph: what some of its values are computed by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rivulet.models.onnx_files import names_read


def cut(model: Any, outputs: Sequence[Any]) -> Any:
    """The part of a model that some values need.

    Args:
        model: ``onnx.ModelProto`` with its weights; not changed.
        outputs: ``onnx.ValueInfoProto`` of each value; with no more than a name where its type is
            not known.

    Returns:
        ``onnx.ModelProto`` with these outputs and the inputs that they depend on.
    """
    import onnx

    graph = model.graph
    nodes = [graph.node[place] for place in ancestors(graph, [value.name for value in outputs])]
    read = {name for node in nodes for name in names_read(node)}
    part = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    part.graph.name = graph.name
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in read)
    part.graph.input.extend(value for value in graph.input if value.name in read)
    part.graph.output.extend(outputs)
    return part


def ancestors(graph: Any, names: Iterable[str]) -> list[int]:
    """Positions of the nodes that some values are computed by, in the order of the graph."""
    wanted, found = set(names), []
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if wanted.intersection(name for name in node.output if name):
            found.append(place)
            wanted.update(names_read(node))
    return found[::-1]


def input_names(graph: Any) -> list[str]:
    """Names of the inputs that a user gives: initializers may be listed among them too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in weights]


def untyped(name: str) -> Any:
    """A value of which no more than the name is known."""
    import onnx

    return onnx.ValueInfoProto(name=name)


def typed(name: str, value: np.ndarray) -> Any:
    """A value with the shape and dtype of an array."""
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, value.shape)
