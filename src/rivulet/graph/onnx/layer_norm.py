"""Layer normalisation in its parts, as exporters of older opsets write it, is one operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    drop_unread,
    is_operator,
    opset_of,
    readers,
    replace_nodes,
    tensor,
)
from rivulet.graph.onnx.static_shapes import static_shapes

_OPSET = 17  # the first that has the operator


def join_layer_norms(model: Any) -> int:
    """Write mean, difference, variance, root and quotient over the last axis as LayerNormalization.

    The factor and the term behind it, where there are any, are its scale and bias. In parts it is
    three kernels or more, because each sum ends one.

    Args:
        model: ``onnx.ModelProto`` with static shapes in which a square is a product, changed in
            place.

    Returns:
        Number of normalisations that were joined.
    """
    graph = model.graph
    if opset_of(model) < _OPSET or not any(is_operator(n, "Sqrt") for n in graph.node):
        return 0
    finder = _Finder(model)
    found = [match for node in graph.node if (match := finder.match(node)) is not None]
    joined = {match[0]: match[1] for match in found}
    if joined:
        nodes = [joined.get(node.output[0], node) for node in graph.node]
        replace_nodes(graph, nodes)
        drop_unread(graph)
    return len(joined)


class _Finder:
    """Finds normalisations by their quotient."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.shapes = static_shapes(model)
        self.constants = Constants(model.graph)
        self.maker = {name: node for node in model.graph.node for name in node.output if name}
        self.count = readers(model.graph)
        self.reader = {n: node for node in model.graph.node for n in node.input}
        self.fresh = Fresh(model.graph)

    def match(self, quotient: Any) -> tuple[str, Any] | None:
        """The value that a normalisation makes, and the node to make it with; or None."""
        if not is_operator(quotient, "Div"):
            return None
        root = self.made_by(quotient.input[1], "Sqrt")
        term = None if root is None else self.made_by(root.input[0], "Add")
        difference = self.maker.get(quotient.input[0])
        if term is None or difference is None or not is_operator(difference, "Sub"):
            return None
        variance, epsilon, dtype = self.split(term)
        squares = self.mean_of(variance)
        square = None if squares is None else self.made_by(squares, "Mul")
        source = difference.input[0]
        if square is None or epsilon is None or self.mean_of(difference.input[1]) != source:
            return None
        # The difference is read by the square, twice, and by the quotient.
        if list(square.input) != [difference.output[0]] * 2 or self.count[square.input[0]] != 3:
            return None
        return self.node(quotient, source, epsilon, dtype)

    def made_by(self, name: str, operator: str) -> Any:
        """The node that makes a value, where it is that operator and nothing else reads it."""
        node = self.maker.get(name)
        alone = node is not None and self.count[name] == 1 and is_operator(node, operator)
        return node if alone else None

    def split(self, term: Any) -> tuple[str | None, float | None, Any]:
        """The variable and the constant part of a sum, and the type of both."""
        for place in (0, 1):
            number = self.constants.scalar(term.input[1 - place])
            constant = self.constants.value(term.input[1 - place])
            if number is not None and constant is not None:
                return term.input[place], number, constant.dtype
        return None, None, None

    def mean_of(self, name: str | None) -> str | None:
        """What a value, which is read once, is the mean of over the last axis, keeping it."""
        node = self.made_by(name, "ReduceMean") if name else None
        if node is None:
            return None
        options = attributes(node)
        axes = options.get("axes") or self.constants.ints((*node.input, "")[1]) or []
        rank = len(self.shapes.get(node.input[0], ()))
        last = rank > 0 and [axis % rank for axis in axes] == [rank - 1]
        return str(node.input[0]) if last and options.get("keepdims", 1) else None

    def node(
        self, quotient: Any, source: str, epsilon: float, dtype: Any
    ) -> tuple[str, Any] | None:
        """LayerNormalization with the factor and the term that follow a quotient."""
        import onnx

        shape = self.shapes.get(source)
        if not shape or self.shapes.get(quotient.output[0]) != shape:
            return None
        output, scale = self.following(quotient.output[0], "Mul", shape[-1])
        output, bias = self.following(output, "Add", shape[-1])
        if scale is None:
            scale = self.fresh(f"{output}/ones")
            self.graph.initializer.append(tensor(scale, np.ones(shape[-1], dtype)))
        inputs = [source, scale, *([bias] if bias else [])]
        made = onnx.helper.make_node(
            "LayerNormalization", inputs, [output], axis=-1, epsilon=epsilon
        )
        return output, made

    def following(self, name: str, operator: str, channels: int) -> tuple[str, str | None]:
        """The value behind a factor or term for each channel, and that one's name."""
        node = self.reader.get(name)
        if node is None or self.count[name] != 1 or not is_operator(node, operator):
            return name, None
        other = node.input[1] if node.input[0] == name else node.input[0]
        value = self.constants.value(other)
        if value is None or value.shape != (channels,):
            return name, None
        return node.output[0], other
