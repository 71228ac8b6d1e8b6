"""Branches whose condition is known only at run time are both computed."""

import numpy as np
import onnx
import onnxruntime
import pytest

from rivulet.graph.onnx.open_branches import choose_between_branches
from rivulet.graph.onnx.static_shapes import static_shapes

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


NESTED = """<ir_version: 8, opset_import: ["" : 18]>
g (bool[1] c, bool[1] d, float[2,3] x) => (float[2,3] y, float[N,M] z) {{
  p = If (c) <
    then_branch = a () => (float[2,3] t) {{
      t = If (d) <
        then_branch = aa () => (float[2,3] tt) {{ tt = Relu(x) }},
        else_branch = ab () => (float[2,3] te) {{ te = Abs(x) }}
      >
    }},
    else_branch = b () => (float[2,3] e) {{ e = Exp(x) }}
  >
  y = Neg(p)
  z = If (d) <
    then_branch = f () => (float[N,M] u) {{ u = {then}(p) }},
    else_branch = h () => (float[2,3] v) {{ v = Sin(p) }}
  >
}}"""


@pytest.mark.parametrize(
    ("then", "opened", "left"), [("Cos", 3, []), ("Transpose", 1, ["If", "If"])]
)
def test_branches_within_and_behind_others_are_opened_up_to_what_stays(then, opened, left):
    model = onnx.parser.parse_model(NESTED.format(then=then))
    x = np.random.default_rng(0).standard_normal((2, 3)).astype("float32")
    truths = [np.array([value]) for value in (True, False)]
    given = [{"c": c, "d": d, "x": x} for c in truths for d in truths]
    wanted = [run(model, values, output) for values in given for output in (0, 1)]
    assert choose_between_branches(model) == opened
    assert [node.op_type for node in model.graph.node if node.op_type == "If"] == left
    onnx.checker.check_model(model)
    results = [run(model, values, output) for values in given for output in (0, 1)]
    for result, expected in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_many_branches_are_opened_at_once(monkeypatch):
    one = "v{n} = If (c) <then_branch = a{n} () => (float[2] t) {{ t = Relu(v{m}) }}, "
    one += "else_branch = b{n} () => (float[2] e) {{ e = Neg(v{m}) }}>"
    body = " ".join(one.format(n=n, m=n - 1) for n in range(1, 21))
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (bool[1] c, float[2] v0) => (float[2] v20) '
        f"{{ {body} }}"
    )
    given = {"c": np.array([False]), "v0": np.array([1, -2], "float32")}
    looks = []
    monkeypatch.setattr(
        "rivulet.graph.onnx.open_branches.static_shapes",
        lambda model: looks.append(model) or static_shapes(model),
    )
    assert choose_between_branches(model) == 20
    assert len(looks) == 1
    np.testing.assert_array_equal(run(model, given), given["v0"])


def run(model, given, output=0):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)[output]
