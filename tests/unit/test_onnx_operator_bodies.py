"""Operators without a converter are written as the standard defines them."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from rivulet.graph.onnx.operator_bodies import write_out_operators


def test_attention_becomes_products_and_a_softmax():
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 4, 8]) for n in "qkv"]
    node = helper.make_node("Attention", ["q", "k", "v"], ["y"], is_causal=1)
    graph = helper.make_graph(
        [node], "g", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 4, 8])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    given = {n: np.random.default_rng(k).standard_normal((1, 2, 4, 8)).astype("float32")
             for k, n in enumerate("qkv")}  # fmt: skip
    (wanted,) = run(model, given)
    assert write_out_operators(model) == 1
    found = [node.op_type for node in model.graph.node]
    assert "Attention" not in found
    assert {"MatMul", "Softmax"} <= set(found)
    assert not model.functions
    assert [entry.domain for entry in model.opset_import] == [""]
    np.testing.assert_allclose(run(model, given)[0], wanted, rtol=1e-5, atol=1e-6)


def test_a_body_that_uses_another_such_operator_is_written_out_too():
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 5]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [3]),
    ]
    node = helper.make_node("SoftmaxCrossEntropyLoss", ["x", "labels"], ["y"])
    graph = helper.make_graph(
        [node], "g", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    assert write_out_operators(model) >= 1
    found = {node.op_type for node in model.graph.node}
    assert not found & {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}
    onnx.checker.check_model(model)


def test_a_model_without_such_operators_stays_as_it_is():
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])]
    )
    model = helper.make_model(graph)
    before = model.SerializeToString()
    assert write_out_operators(model) == 0
    assert model.SerializeToString() == before


def run(model, given):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)
