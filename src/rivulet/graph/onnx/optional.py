"""Optional inputs that are given and say nothing are left out."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import Constants, is_operator, readers

# Positions of inputs that older exporters give as tensors without elements.
_MAY_BE_EMPTY = {"Resize": (1, 2, 3)}


def drop_empty_options(model: Any) -> int:
    """Leave out optional inputs without elements, and optional outputs that nothing reads.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that were changed.
    """
    graph = model.graph
    constants, count = Constants(graph), readers(graph)
    changed = 0
    for node in graph.node:
        before = (list(node.input), list(node.output))
        for place in _MAY_BE_EMPTY.get(node.op_type, ()):
            if place < len(node.input) and is_operator(node, node.op_type):
                value = constants.small(node.input[place])
                if value is not None and value.size == 0:
                    node.input[place] = ""
        for place, name in enumerate(node.output):
            if place and name and not count[name] and node.op_type in _OPTIONAL_OUTPUTS:
                node.output[place] = ""
        for names in (node.input, node.output):
            while len(names) > 1 and not names[-1]:
                del names[-1]
        changed += before != (list(node.input), list(node.output))
    return changed


_OPTIONAL_OUTPUTS = {"LayerNormalization", "MaxPool", "LSTM", "GRU", "RNN"}
