"""Scalar factors around matrix products go behind the product, or into known weights.

Attention divides by the root of a head's width. Exporters write that before the product of queries
and keys, often on both, where it stands between a product and the transposes that a compiler wants
to absorb into it; behind the product it is part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    constant,
    drop_unread,
    is_operator,
    multiplied,
    readers,
    rename_reads,
    replace_nodes,
    tensor,
)
from rivulet.graph.onnx.static_shapes import static_shapes

_VIEWS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze")
_RANGE = (1e-6, 1e6)  # of factors that leave the size of weights and products a harmless one


def move_scalars(model: Any) -> int:
    """Move scalar factors of matrix products, in single precision.

    First from the product's operands to its result; then from there into the weights of a layer
    that makes one of the operands, where nothing else reads that layer. A factor and the weights
    are multiplied in double precision and rounded once.

    Args:
        model: ``onnx.ModelProto`` of opset 13 or newer, changed in place.

    Returns:
        Number of factors that were moved.
    """
    if not any(is_operator(node, "MatMul") for node in model.graph.node):
        return 0
    moved = _behind_products(model)
    return moved + _into_weights(model)


class _Graph:
    """What both moves ask of a graph."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.shapes = static_shapes(model)
        self.constants = Constants(model.graph)
        self.maker = {name: node for node in model.graph.node for name in node.output if name}
        self.count: Counter[str] = readers(model.graph)
        self.fresh = Fresh(model.graph)

    def factor(self, node: Any) -> tuple[str, float] | None:
        """Value and factor of a product or quotient by a scalar of single precision."""
        if not is_operator(node, "Mul", "Div"):
            return None
        for value, other in ((0, 1), (1, 0)):
            scalar = self.constants.small(node.input[other])
            if scalar is None or scalar.dtype != np.float32 or scalar.size != 1:
                continue
            if self.shapes.get(node.input[value]) != self.shapes.get(node.output[0], ()):
                return None
            number = float(scalar.reshape(-1)[0])
            if not _RANGE[0] < abs(number) < _RANGE[1]:
                return None
            if node.op_type == "Mul":
                return node.input[value], number
            return (node.input[value], 1 / number) if value == 0 else None
        return None


def _behind_products(model: Any) -> int:
    known = _Graph(model)
    graph = known.graph
    nodes: list[Any] = []
    skipped: dict[str, str] = {}
    moved = 0
    for node in graph.node:
        nodes.append(node)
        if not is_operator(node, "MatMul"):
            continue
        total = 1.0
        for name in node.input:
            found = _factor_before(known, name)
            if found is not None:
                output, source, number = found
                skipped[output] = source
                total *= number
                moved += 1
        if total != 1:
            output = node.output[0]
            node.output[0] = known.fresh(f"{output}/unscaled")
            scale = known.fresh(f"{output}/scale")
            nodes.append(constant(scale, np.array(total, np.float32)))
            nodes.append(_times(node.output[0], scale, output))
    if moved:
        replace_nodes(graph, nodes)
        rename_reads(graph, {name: _end(name, skipped) for name in skipped})
        drop_unread(graph)
    return moved


def _end(name: str, skipped: dict[str, str]) -> str:
    while name in skipped:
        name = skipped[name]
    return name


def _factor_before(known: _Graph, name: str) -> tuple[str, str, float] | None:
    """A scalar's product that an operand is a view of: what it makes, of what, times what."""
    while known.count[name] == 1 and (node := known.maker.get(name)) is not None:
        found = known.factor(node)
        if found is not None and found[0] not in known.constants:
            return name, found[0], found[1]
        if not is_operator(node, *_VIEWS):
            return None
        name = node.input[0]
    return None


def _into_weights(model: Any) -> int:
    known = _Graph(model)
    outputs = {value.name for value in known.graph.output}
    moved = 0
    skipped: dict[str, str] = {}
    for node in known.graph.node:
        found = known.factor(node)
        if found is None or known.count[found[0]] != 1:
            continue
        source, number = _end(found[0], skipped), found[1]
        product = known.maker.get(source)
        if product is None or not is_operator(product, "MatMul"):
            continue
        changes = _scaling_of_product(known, product, number)
        if changes is None or node.output[0] in outputs:
            continue
        for change in changes:
            change()
        skipped[node.output[0]] = source
        moved += 1
    if moved:
        rename_reads(known.graph, {name: _end(name, skipped) for name in skipped})
        drop_unread(known.graph)
    return moved


def _scaling_of_product(
    known: _Graph, product: Any, number: float
) -> list[Callable[[], None]] | None:
    """What to change so that a MatMul's result is multiplied by a number, or None."""
    for place, name in enumerate(product.input):
        if name in known.constants:
            return [_multiply(known, product, place, number)]
    return next(filter(None, (_scaling(known, name, number) for name in product.input)), None)


def _scaling(known: _Graph, name: str, number: float) -> list[Callable[[], None]] | None:
    """What to change so that a value is multiplied by a number, or None where it takes a node."""
    node = known.maker.get(name)
    if known.count[name] != 1 or node is None:
        return None
    if is_operator(node, *_VIEWS):
        return _scaling(known, node.input[0], number)
    if is_operator(node, "Add"):
        weights = [place for place in (0, 1) if node.input[place] in known.constants]
        if len(weights) != 1:
            return None
        rest = _scaling(known, node.input[1 - weights[0]], number)
        return None if rest is None else [*rest, _multiply(known, node, weights[0], number)]
    if not is_operator(node, "MatMul", "Gemm", "Conv") or node.input[1] not in known.constants:
        return None
    options = attributes(node)
    places = [1, *([2] if len(node.input) > 2 and node.input[2] else [])]
    if any(node.input[place] not in known.constants for place in places):
        return None
    if options.get("alpha", 1.0) != 1 or options.get("beta", 1.0) != 1:
        return None
    return [_multiply(known, node, place, number) for place in places]


def _multiply(known: _Graph, node: Any, place: int, number: float) -> Callable[[], None]:
    """A change of one constant input of a node into a multiple of it."""

    def change() -> None:
        value = known.constants.value(node.input[place])
        assert value is not None
        name = known.fresh(f"{node.input[place]}/scaled")
        weight = tensor(name, multiplied(value, number))
        known.graph.initializer.append(weight)
        known.constants.add(weight)
        node.input[place] = weight.name

    return change


def _times(value: str, scale: str, output: str) -> Any:
    import onnx

    return onnx.helper.make_node("Mul", [value, scale], [output])
