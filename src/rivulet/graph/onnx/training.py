"""A model that was exported while it trained is not the one that its user means."""

from __future__ import annotations

from typing import Any

from rivulet.errors import UserError
from rivulet.graph.onnx.editing import all_nodes, attributes, is_operator, named, opset_of

_ATTRIBUTE_SINCE = 14  # before, outputs beyond the first said that the node trains


def refuse_training(model: Any) -> int:
    """Refuse a BatchNormalization in training mode.

    Such a node normalises by the statistics of its input; compilers for inference take it for one
    that uses its own, without a word.

    Args:
        model: ``onnx.ModelProto`` without functions of its own; it is not changed.

    Returns:
        0, for nothing is changed.

    Raises:
        UserError: There is one; the message names it.
    """
    by_outputs = opset_of(model) < _ATTRIBUTE_SINCE
    for node in all_nodes(model.graph):
        if not is_operator(node, "BatchNormalization"):
            continue
        if attributes(node).get("training_mode") or (by_outputs and any(node.output[1:])):
            raise UserError(
                f"{named(node)} is in training mode, which normalises by the statistics of the "
                "input; export the model after eval()"
            )
    return 0
