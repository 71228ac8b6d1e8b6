"""Which of ONNX's node tests can be compiled at all, and in which form.

They come with the ``onnx`` package: a model of one node (or of an operator's function body), its
inputs and its reference outputs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

# Inputs that say how to compute rather than what on: shapes, axes, limits. Exporters write them
# as constants; in a node test they are inputs like the others.
_PARAMETERS = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,), "CumProd": (1,), "CumSum": (1,), "DFT": (1, 2), "Dropout": (1, 2),
    "Expand": (1,), "HammingWindow": (0,), "HannWindow": (0,), "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4), "NonMaxSuppression": (2, 3, 4), "OneHot": (1,),
    "Pad": (1, 3), "Range": (0, 1, 2),
    **{f"Reduce{kind}": (1,) for kind in (
        "L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")},
    "Reshape": (1,), "Resize": (1, 2, 3), "STFT": (1, 3), "Slice": (1, 2, 3, 4), "Split": (1,),
    "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Trilu": (1,), "Unsqueeze": (1,),
    "Upsample": (1,),
}  # fmt: skip

# What the tests are about whose node is replaced by the body that the standard gives it.
FUNCTION_BODIES = "bodies of functions"


@dataclass(frozen=True)
class Case:
    """One node test.

    Attributes:
        name: ONNX's name of it, without ``test_``.
        operator: The operator that it is about.
        model: ``onnx.ModelProto`` whose parameters (shapes, axes) are constants.
        inputs: Arrays, in the order of the graph's inputs.
        outputs: Reference outputs, in the order of the graph's.
    """

    name: str
    operator: str
    model: Any
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]


def usable_cases() -> list[Case]:
    """All node tests of fixed, non-empty shapes in float32, int32, int64 and bool."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests' own arithmetic with infinities
        from onnx.backend.test.loader import load_model_tests

        tests = load_model_tests(kind="node")
    return [_case(test) for test in tests if _usable(test.model)]


def _usable(model: Any) -> bool:
    if any(entry.domain not in ("", "ai.onnx") for entry in model.opset_import):
        return False
    return all(_fixed(value.type) for value in (*model.graph.input, *model.graph.output))


def _fixed(kind: Any) -> bool:
    import onnx

    proto = onnx.TensorProto
    tensor = kind.tensor_type
    if kind.WhichOneof("value") != "tensor_type" or not tensor.HasField("shape"):
        return False
    if tensor.elem_type not in (proto.FLOAT, proto.INT32, proto.INT64, proto.BOOL):
        return False
    return all(dim.dim_value > 0 for dim in tensor.shape.dim)


def _case(test: Any) -> Case:
    model = type(test.model)()
    model.CopyFrom(test.model)
    inputs, outputs = test.data_sets[0]
    values = dict(zip((v.name for v in model.graph.input), inputs, strict=True))
    frozen = _frozen(model.graph) & values.keys()
    _make_constant(model.graph, {name: np.asarray(values[name]) for name in frozen})
    name = test.name.removeprefix("test_")
    return Case(
        name=name,
        operator=_operator(name, model.graph),
        model=model,
        inputs=[np.asarray(value) for key, value in values.items() if key not in frozen],
        outputs=[np.asarray(value) for value in outputs],
    )


def _frozen(graph: Any) -> set[str]:
    return {
        node.input[place]
        for node in graph.node
        for place in _PARAMETERS.get(node.op_type, ())
        if place < len(node.input) and node.input[place]
    }


def _make_constant(graph: Any, values: dict[str, np.ndarray]) -> None:
    import onnx

    kept = [value for value in graph.input if value.name not in values]
    del graph.input[:]
    graph.input.extend(kept)
    for name, value in values.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))


def _operator(name: str, graph: Any) -> str:
    if "_expanded" not in name and len(graph.node) == 1:
        return str(graph.node[0].op_type)
    return FUNCTION_BODIES
