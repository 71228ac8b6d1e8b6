"""A Gather of neighbours is a Slice: it has no index to read at inference, and fuses."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    constant,
    is_operator,
    replace_nodes,
)
from rivulet.graph.onnx.static_shapes import static_shapes


def gathers_to_slices(model: Any) -> int:
    """Replace each Gather of one known index, or of known indices in even steps, by a Slice.

    A vision transformer's queries, keys, values and class token are such Gathers.

    Args:
        model: ``onnx.ModelProto`` of opset 13 or newer with static shapes, changed in place.

    Returns:
        Number of nodes that were replaced.
    """
    graph = model.graph
    if not any(is_operator(node, "Gather") for node in graph.node):
        return 0
    shapes, constants, fresh = static_shapes(model), Constants(graph), Fresh(graph)
    nodes: list[Any] = []
    replaced = 0
    for node in graph.node:
        written = _slice(node, shapes, constants, fresh) if is_operator(node, "Gather") else []
        nodes.extend(written or [node])
        replaced += bool(written)
    if replaced:
        replace_nodes(graph, nodes)
    return replaced


def _slice(
    node: Any, shapes: dict[str, tuple[int, ...]], constants: Constants, fresh: Fresh
) -> list[Any]:
    """Nodes that do what a Gather does, or none."""
    import numpy as np
    import onnx

    shape, indices = shapes.get(node.input[0]), constants.small(node.input[1])
    if not shape or indices is None or indices.ndim > 1 or indices.size == 0:
        return []
    axis = attributes(node).get("axis", 0) % len(shape)
    places = [int(index) for index in indices.reshape(-1)]
    if not all(-shape[axis] <= place < shape[axis] for place in places):
        return []
    places = [place % shape[axis] for place in places]
    step = places[1] - places[0] if len(places) > 1 else 1
    if step < 1 or places != list(range(places[0], places[-1] + 1, step)):
        return []
    output = node.output[0]
    limits = {"starts": places[0], "ends": places[-1] + 1, "axes": axis, "steps": step}
    names = [fresh(f"{output}/{limit}") for limit in limits]
    written = [
        constant(name, np.array([value], np.int64))
        for name, value in zip(names, limits.values(), strict=True)
    ]
    if indices.ndim == 1:
        return [*written, onnx.helper.make_node("Slice", [node.input[0], *names], [output])]
    sliced = fresh(f"{output}/sliced")
    return [
        *written,
        onnx.helper.make_node("Slice", [node.input[0], *names], [sliced]),
        onnx.helper.make_node("Squeeze", [sliced, names[2]], [output]),
    ]
