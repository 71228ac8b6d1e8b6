"""What nothing reads is not computed."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import drop_unread


def drop_unread_nodes(model: Any) -> int:
    """Remove nodes and weights that no output of the model depends on.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that are gone.
    """
    before = len(model.graph.node)
    drop_unread(model.graph)
    return before - len(model.graph.node)
