"""An ``If`` whose condition is known before any input is, is one of its branches."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    copy_of,
    is_operator,
    rename_reads,
    replace_nodes,
)
from rivulet.graph.onnx.static_shapes import make_shapes_static


def inline_known_branches(model: Any) -> int:
    """Put the branch that is taken in place of each ``If`` with a known condition.

    What exporters write for ``squeeze`` is such an ``If``: its condition asks for a size. Behind
    it shapes may be known that were not before, so they are worked out again.

    Args:
        model: ``onnx.ModelProto`` with static shapes, changed in place.

    Returns:
        Number of branches that were put in.
    """
    found = 0
    while taken := _inline_once(model.graph):
        found += taken
        make_shapes_static(model)
    return found


def _inline_once(graph: Any) -> int:
    constants, fresh = Constants(graph), Fresh(graph)
    nodes: list[Any] = []
    found = 0
    for node in graph.node:
        condition = constants.small(node.input[0]) if is_operator(node, "If") else None
        if condition is None:
            nodes.append(node)
            continue
        name = "then_branch" if condition.reshape(-1)[0] else "else_branch"
        nodes.extend(branch_nodes(graph, node, copy_of(attributes(node)[name]), fresh))
        found += 1
    if found:
        replace_nodes(graph, nodes)
    return found


def branch_nodes(graph: Any, node: Any, branch: Any, fresh: Fresh) -> list[Any]:
    """Nodes of a branch under names of their own; its weights are added to the graph."""
    import onnx

    prefix = node.name or "branch"
    weights = [tensor.name for tensor in branch.initializer]
    made = [name for inner in branch.node for name in inner.output if name]
    names = {name: fresh(f"{prefix}/{name}") for name in (*weights, *made)}
    rename_reads(branch, names)
    for inner in branch.node:
        for place, name in enumerate(inner.output):
            inner.output[place] = names.get(name, name)
    for tensor in branch.initializer:
        tensor.name = names[tensor.name]
        graph.initializer.append(tensor)
    results = zip(branch.output, node.output, strict=False)
    return [
        *branch.node,
        *(
            onnx.helper.make_node("Identity", [names.get(value.name, value.name)], [output])
            for value, output in results
            if output
        ),
    ]
