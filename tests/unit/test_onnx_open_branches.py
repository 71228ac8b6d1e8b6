"""Branches whose condition is known only at run time are both computed."""

import numpy as np
import onnx
import onnxruntime
import pytest

from rivulet.graph.onnx.open_branches import choose_between_branches

TEXT = """<ir_version: 8, opset_import: ["" : 18]>
g (bool[{condition}] c, float[2,3] x) => (float[{out}] y) {{
  y = If (c) <
    then_branch = a () => (float[{out}] t) {{ s = Relu(x) t = {then}(s) }},
    else_branch = b () => (float[{out}] e) {{ s = Neg(x) e = Exp(s) }}
  >
}}"""


@pytest.mark.parametrize("condition", ["", "1"])
def test_both_branches_and_a_choice_give_the_same(condition):
    model = onnx.parser.parse_model(TEXT.format(condition=condition, out="2,3", then="Identity"))
    model.graph.input[0].type.tensor_type.shape.SetInParent()  # the parser leaves a scalar's out
    x = np.random.default_rng(0).standard_normal((2, 3)).astype("float32")
    given = [{"c": np.full([1] if condition else [], v), "x": x} for v in (True, False)]
    wanted = [run(model, values) for values in given]
    assert choose_between_branches(model) == 1
    assert [node.op_type for node in model.graph.node].count("Where") == 1
    assert "If" not in {node.op_type for node in model.graph.node}
    onnx.checker.check_model(model)
    for values, result in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(run(model, values), result)


def test_branches_of_different_shapes_stay():
    model = onnx.parser.parse_model(TEXT.format(condition="", out="N,M", then="Transpose"))
    assert choose_between_branches(model) == 0
    assert [node.op_type for node in model.graph.node] == ["If"]


def run(model, given):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)[0]
