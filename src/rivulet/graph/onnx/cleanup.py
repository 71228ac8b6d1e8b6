"""The steps that make an ONNX graph one that the importer takes, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rivulet.graph.onnx.static_shapes import make_shapes_static

# Each changes the model in place and returns how many nodes it changed.
STEPS: tuple[tuple[str, Callable[[Any], int]], ...] = (("static shapes", make_shapes_static),)


def clean_up(model: Any) -> tuple[Any, dict[str, int]]:
    """Apply all steps.

    Args:
        model: ``onnx.ModelProto`` with fixed input shapes; it may be changed.

    Returns:
        The model, and the number of nodes that each step changed, by its name.
    """
    return model, {name: step(model) for name, step in STEPS}
