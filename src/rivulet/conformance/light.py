"""The nine whole models that the ``onnx`` package has reference outputs of.

They are networks of the years up to 2018 in old operator sets, whose weights are computed in the
graph so that the files are small.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rivulet.conformance.cases import Case

LIGHT_MODELS = "whole models (`light_*`)"


def light_cases() -> list[Case]:
    """The models, with inputs as ONNX's runner makes them."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return [_case(path) for path in sorted(folder.glob("light_*.onnx"))]


def _case(path: Path) -> Case:
    import onnx

    model = onnx.load(str(path))
    stored = {weight.name for weight in model.graph.initializer}
    inputs = [_ramp(value) for value in model.graph.input if value.name not in stored]
    outputs = []
    for place in range(len(model.graph.output)):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(Path(f"{path.with_suffix('')}_output_{place}.pb").read_bytes())
        outputs.append(np.asarray(onnx.numpy_helper.to_array(tensor)))
    return Case(path.stem, LIGHT_MODELS, model, inputs, outputs)


def _ramp(value: Any) -> np.ndarray:
    """From 0 to 1 over all elements."""
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype("float32")
