"""What a step over an ONNX graph does to it: structure, and numbers by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def run_onnx(model: Any) -> list[np.ndarray]:
    """All outputs on seeded inputs, without ONNX Runtime's own changes of the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    generator = np.random.default_rng(0)
    feeds = {
        value.name: generator.standard_normal(value.shape).astype(_TYPES[value.type])
        for value in session.get_inputs()
    }
    return list(session.run(None, feeds))


def changed(
    model: Any, *steps: Callable[[Any], int], tolerance: float = 0.0
) -> tuple[int, list[str]]:
    """Apply steps in place, and check that the file stays valid and the outputs what they were.

    Args:
        model: ``onnx.ModelProto``.
        steps: Functions that change it in place.
        tolerance: Largest difference allowed, relative to an output's largest element.

    Returns:
        How many nodes the steps say they changed, and the operators that are left, without
        constants.
    """
    import onnx

    before = run_onnx(model)
    outputs = [value.name for value in model.graph.output]
    count = sum(step(model) for step in steps)
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.output] == outputs
    for old, new in zip(before, run_onnx(model), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)
        if old.dtype.kind == "f":
            limit = tolerance * np.abs(old).max(initial=0)
            np.testing.assert_allclose(new, old, rtol=0, atol=float(limit))
        else:
            np.testing.assert_array_equal(new, old)
    return count, operators(model)


def operators(model: Any) -> list[str]:
    """Operators of a graph in their order, without constants."""
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def weights(*shape: int, seed: int = 0, low: float = -1.0) -> np.ndarray:
    """Seeded weights between a limit and 1."""
    return np.random.default_rng(seed).uniform(low, 1, shape).astype(np.float32)
