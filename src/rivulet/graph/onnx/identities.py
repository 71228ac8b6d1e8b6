"""Nodes that hand on what they are given are taken out: Identity, and Dropout at inference."""

from __future__ import annotations

from typing import Any

from rivulet.errors import UserError
from rivulet.graph.onnx.editing import (
    Constants,
    is_operator,
    named,
    readers,
    rename_reads,
    replace_nodes,
)

_REMEDY = "export the model after eval()"


def drop_identities(model: Any) -> int:
    """Remove Identity and Dropout nodes; readers read what the node read.

    One stays where an output of the model is an input, a weight or another output: there it is
    what makes the output.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that are gone.

    Raises:
        UserError: A Dropout is, or can be brought, in training mode.
    """
    graph = model.graph
    constants, count = Constants(graph), readers(graph)
    inputs = {value.name for value in graph.input}
    fixed = {value.name for value in (*graph.input, *graph.output)}
    fixed.update(tensor.name for tensor in graph.initializer)
    outputs = {value.name for value in graph.output}
    handed_on: dict[str, str] = {}  # a removed name, and the one to read instead
    renamed: dict[str, str] = {}  # a value that becomes an output, and the output's name
    nodes: list[Any] = []
    for node in graph.node:
        if not is_operator(node, "Identity", "Dropout"):
            nodes.append(node)
            continue
        if node.op_type == "Dropout":
            _refuse_training(node, constants, inputs)
            nodes.extend(_mask(node, count))
        source, output = handed_on.get(node.input[0], node.input[0]), node.output[0]
        source = renamed.get(source, source)
        if output not in outputs:
            handed_on[output] = source
        elif source not in fixed and source not in renamed.values():
            renamed[source] = output
        else:
            node.op_type = "Identity"
            del node.attribute[:], node.input[1:], node.output[1:]
            nodes.append(node)
    dropped = len(handed_on) + len(renamed)
    _rename(graph, nodes, handed_on, renamed)
    return dropped


def _rename(
    graph: Any, nodes: list[Any], handed_on: dict[str, str], renamed: dict[str, str]
) -> None:
    replace_nodes(graph, nodes)
    names = {name: renamed.get(source, source) for name, source in handed_on.items()}
    rename_reads(graph, {**renamed, **names})
    for node in graph.node:
        for place, name in enumerate(node.output):
            node.output[place] = renamed.get(name, name)


def _refuse_training(node: Any, constants: Constants, inputs: set[str]) -> None:
    name = node.input[2] if len(node.input) > 2 else ""
    training = constants.small(name) if name else None
    if name in inputs:
        raise UserError(f"{named(node)} takes its mode from the input '{name}'; {_REMEDY}")
    if training is not None and training.any():
        raise UserError(f"{named(node)} is in training mode; {_REMEDY}")


def _mask(node: Any, count: Any) -> list[Any]:
    """Nodes for the second output of a Dropout, where something reads it: all is kept."""
    import onnx

    if len(node.output) < 2 or not count[node.output[1]]:
        return []
    mask = node.output[1]
    shape = f"{mask}/shape"
    true = onnx.helper.make_tensor("kept", onnx.TensorProto.BOOL, [1], [1])
    return [
        onnx.helper.make_node("Shape", [node.input[0]], [shape]),
        onnx.helper.make_node("ConstantOfShape", [shape], [mask], value=true),
    ]
