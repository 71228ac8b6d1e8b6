"""A small model with one kernel of each kind that GPUs have rules of their own for."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_model(path: Path, channels: int, size: int) -> Path:
    """Two convolutions with bias and activation, poolings, and a linear layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        data = generator.uniform(-0.5, 0.5, shape).astype(np.float32)
        return numpy_helper.from_array(data, name)

    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c1"], **window),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["m1"], strides=[2, 2], **window),
        helper.make_node("Conv", ["m1", "w2", "b2"], ["c2"], **window),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["output"]),
    ]
    weights = [
        weight("w1", channels, 3, 3, 3), weight("b1", channels),
        weight("w2", channels, channels, 3, 3), weight("b2", channels),
        weight("w3", channels, 40), weight("b3", 40),
    ]  # fmt: skip
    sizes = {"input": [1, 3, size, size], "output": [1, 40]}
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in sizes.items()]
    graph = helper.make_graph(nodes, "small", *ends, weights)
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))
    return path
