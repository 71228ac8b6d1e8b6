"""ONNX models written as text, with weights as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np


def model_of(graph: str, opset: str = '"" : 18', **weights: np.ndarray) -> Any:
    """A model of a graph in ONNX's text form; weights are not part of the text.

    Args:
        graph: Such as ``g (float[2] x) => (float[2] y) { y = Relu(x) }``.
        opset: What the model imports.
        weights: Initializer to its value.
    """
    import onnx

    model = onnx.parser.parse_model(f"<ir_version: 10, opset_import: [{opset}]> {graph}")
    for name, value in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    return model
