"""Scales of channels behind a transpose go before it, where a product can take them in."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.affine import PRODUCTS
from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    constant,
    is_operator,
    readers,
    replace_nodes,
    tensor,
)
from rivulet.graph.onnx.static_shapes import static_shapes

_SCALING = ("Mul", "Add", "Sub", "Div")


def scales_before_transposes(model: Any) -> int:
    """Exchange a transpose behind a product with the constant factor or term behind it.

    The layer scale of ConvNeXt is written so: a linear layer over the last axis, the channels put
    in front again, and then a factor for each of them.

    Args:
        model: ``onnx.ModelProto`` with static shapes, changed in place.

    Returns:
        Number of transposes that were exchanged.
    """
    graph = model.graph
    if not any(is_operator(node, "Transpose") for node in graph.node):
        return 0
    shapes, constants, fresh = static_shapes(model), Constants(graph), Fresh(graph)
    count = readers(graph)
    maker = {name: node for node in graph.node for name in node.output if name}
    exchanged = 0
    nodes: list[Any] = []
    for node in graph.node:
        nodes.append(node)
        found = _movable(node, maker, constants, shapes, count=count)
        if found is None:
            continue
        place, transpose, operand = found
        scaled = fresh(f"{node.output[0]}/untransposed")
        name = fresh(f"{node.output[0]}/operand")
        constants.add(tensor(name, operand))
        if operand.size > 1:
            graph.initializer.append(tensor(name, operand))
        else:
            nodes.insert(nodes.index(transpose), constant(name, operand))
        behind, output = transpose.output[0], node.output[0]
        node.input[place], node.input[1 - place] = transpose.input[0], name
        node.output[0] = scaled
        transpose.input[0], transpose.output[0] = scaled, output
        nodes.remove(transpose)
        nodes.append(transpose)
        maker |= {scaled: node, output: transpose}
        shapes[scaled] = shapes[node.input[place]]
        count[scaled] = 1
        del maker[behind]
        exchanged += 1
    if exchanged:
        replace_nodes(graph, nodes)
    return exchanged


def _movable(
    node: Any,
    maker: dict[str, Any],
    constants: Constants,
    shapes: dict[str, tuple[int, ...]],
    *,
    count: Any,
) -> tuple[int, Any, np.ndarray] | None:
    """Which input of a node is the transpose, that, and the other as it is before it; or None."""
    if not is_operator(node, *_SCALING):
        return None
    for place in (0, 1):
        transpose = maker.get(node.input[place])
        operand = constants.value(node.input[1 - place])
        if transpose is None or operand is None or not is_operator(transpose, "Transpose"):
            continue
        shape = shapes.get(node.input[place])
        if shape is None or shapes.get(node.output[0]) != shape or operand.ndim > len(shape):
            return None
        if count[node.input[place]] != 1 or not _ends_in_product(
            transpose, maker, constants, count
        ):
            return None
        order = attributes(transpose).get("perm", list(range(len(shape)))[::-1])
        full = operand.reshape((1,) * (len(shape) - operand.ndim) + operand.shape)
        if sum(extent != 1 for extent in full.shape) > 1:
            return None
        return place, transpose, np.transpose(full, np.argsort(order))
    return None


def _ends_in_product(node: Any, maker: dict[str, Any], constants: Constants, count: Any) -> bool:
    """Whether what a transpose reads is a product, or a constant scaled or added to one."""
    source = maker.get(node.input[0])
    while source is not None and count[source.output[0]] == 1:
        if is_operator(source, *PRODUCTS):
            return True
        if not is_operator(source, *_SCALING):
            return False
        inner = [name for name in source.input if name not in constants]
        source = maker.get(inner[0]) if len(inner) == 1 else None
    return False
