"""An ``If`` whose condition is known only at run time: both branches, and a choice between them.

A compiler that sees a branch fuses nothing across it, and importers leave the whole graph unfused
for one. The branches that exporters write are small, and free of side effects as all of ONNX is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass
class _Part:
    """A node of the graph, and what may stand in its place.

    Attributes:
        node: The node.
        nodes: What it may become; the node alone if that is no ``If``.
        pairs: Of an ``If``, its outputs as the two branches give them.
    """

    node: Any
    nodes: list[Any]
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def agrees(self, shapes: dict[str, tuple[int, ...]]) -> bool:
        """Whether both branches give the same shapes, as far as there are any."""
        return all(a in shapes and shapes[a] == shapes.get(b) for a, b in self.pairs)


def choose_between_branches(model: Any) -> int:
    """Replace each ``If`` whose branches give the same shapes by both and ``Where``.

    Args:
        model: ``onnx.ModelProto`` with static shapes, changed in place.

    Returns:
        Number of nodes that were replaced.
    """
    found = 0
    # Within a branch there may be others: each round opens those that are not within one.
    while any(is_operator(node, "If") for node in model.graph.node):
        parts = _parts(model.graph)
        replace_nodes(model.graph, [node for part in parts for node in part.nodes])
        shapes = static_shapes(model)
        known = [part.agrees(shapes) for part in parts]
        found += sum(bool(part.pairs) and same for part, same in zip(parts, known, strict=True))
        if all(known):
            continue
        left = zip(parts, known, strict=True)
        replace_nodes(model.graph, [n for p, same in left for n in (p.nodes if same else [p.node])])
        break
    return found


def _parts(graph: Any) -> list[_Part]:
    """The nodes, which outlive those of the graph, with both branches of each ``If``."""
    fresh = Fresh(graph)
    nodes = [copy_of(node) for node in graph.node]
    return [
        _opened(graph, node, fresh) if is_operator(node, "If") else _Part(node, [node])
        for node in nodes
    ]


def _opened(graph: Any, node: Any, fresh: Fresh) -> _Part:
    """Both branches of an ``If``, whose weights are added to the graph, and the choice."""
    import onnx

    condition = fresh(f"{node.output[0]}/condition")
    made = [
        constant(f"{condition}/shape", np.zeros(0, dtype="int64")),
        onnx.helper.make_node("Reshape", [node.input[0], f"{condition}/shape"], [condition]),
    ]
    sides: dict[str, list[str]] = {}
    for side in ("then_branch", "else_branch"):
        sides[side] = [output and fresh(f"{output}/{side}") for output in node.output]
        stand_in = onnx.helper.make_node("If", node.input, sides[side], name=node.name)
        made += branch_nodes(graph, stand_in, copy_of(attributes(node)[side]), fresh)
    pairs = list(zip(sides["then_branch"], sides["else_branch"], strict=True))
    for (taken, other), output in zip(pairs, node.output, strict=True):
        if output:
            made.append(onnx.helper.make_node("Where", [condition, taken, other], [output]))
    return _Part(node, made, [pair for pair in pairs if pair[0]])
