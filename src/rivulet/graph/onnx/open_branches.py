"""An ``If`` whose condition is known only at run time: both branches, and a choice between them.

A compiler that sees a branch fuses nothing across it, and importers leave the whole graph unfused
for one. The branches that exporters write are small, and free of side effects as all of ONNX is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.branches import branch_nodes
from rivulet.graph.onnx.editing import (
    Fresh,
    attributes,
    constant,
    copy_of,
    is_operator,
    replace_nodes,
)
from rivulet.graph.onnx.static_shapes import static_shapes


def choose_between_branches(model: Any) -> int:
    """Replace each ``If`` whose branches give the same shapes by both and ``Where``.

    Args:
        model: ``onnx.ModelProto`` with static shapes, changed in place.

    Returns:
        Number of nodes that were replaced.
    """
    found = 0
    while place := next(_open(model), None):
        opened = _opened(model, place)
        if opened is None:
            break
        model.CopyFrom(opened)
        found += 1
    return found


def _open(model: Any) -> Any:
    """Places of the graph's ``If`` nodes, counted from 1."""
    return (k for k, node in enumerate(model.graph.node, 1) if is_operator(node, "If"))


def _opened(model: Any, place: int) -> Any:
    """The model with both branches of one ``If``; None if they give different shapes."""
    import onnx

    changed = copy_of(model)
    graph = changed.graph
    fresh = Fresh(graph)
    nodes = list(graph.node)
    node = nodes[place - 1]
    condition = fresh(f"{node.output[0]}/condition")
    made = [
        constant(f"{condition}/shape", np.zeros(0, dtype="int64")),
        onnx.helper.make_node("Reshape", [node.input[0], f"{condition}/shape"], [condition]),
    ]
    sides: dict[str, list[str]] = {}
    for side in ("then_branch", "else_branch"):
        sides[side] = [fresh(f"{output}/{side}") for output in node.output]
        stand_in = onnx.helper.make_node("If", node.input, sides[side], name=node.name)
        made += branch_nodes(graph, stand_in, copy_of(attributes(node)[side]), fresh)
    pairs = list(zip(sides["then_branch"], sides["else_branch"], node.output, strict=True))
    for taken, other, output in pairs:
        made.append(onnx.helper.make_node("Where", [condition, taken, other], [output]))
    replace_nodes(graph, [*nodes[: place - 1], *made, *nodes[place:]])
    shapes = static_shapes(changed)
    same = (shapes.get(taken, other) == shapes.get(other, taken) for taken, other, _ in pairs)
    return changed if all(same) else None
