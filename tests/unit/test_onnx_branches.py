"""Functions of a file and branches whose condition is known are part of the graph."""

import numpy as np
import onnx

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.graph.onnx.branches import inline_known_branches
from rivulet.graph.onnx.functions import inline_functions
from rivulet.graph.onnx.identities import drop_identities
from rivulet.graph.onnx.static_shapes import make_shapes_static


def with_functions(graph, *functions):
    text = '<ir_version: 10, opset_import: ["" : 18, "mine" : 1]> ' + graph
    return onnx.parser.parse_model(text + "".join(functions))


def test_functions_within_functions_are_inlined():
    model = with_functions(
        "g (float[2,3] x) => (float[2,3] y) { a = mine.Block(x) y = mine.Block(a) }",
        '<domain: "mine", opset_import: ["" : 18, "mine" : 1]> '
        "Block (x) => (y) { t = mine.Twice(x) y = Relu(t) }",
        '<domain: "mine", opset_import: ["" : 18]> Twice (x) => (y) { y = Add(x, x) }',
    )
    count, left = changed(model, inline_functions)
    assert (count, left) == (2, ["Add", "Relu", "Add", "Relu"])
    assert not model.functions


def test_a_function_of_an_older_opset_is_converted():
    model = with_functions(
        "g (float[2,3] x) => (float[2,3] y) { y = mine.Block(x) }",
        '<domain: "mine", opset_import: ["" : 9]> '
        "Block (x) => (y) { y = Clip<min = 0.0, max = 1.0>(x) }",
    )
    inline_functions(model)
    assert [n.op_type for n in model.graph.node if n.op_type != "Constant"] == ["Clip"]
    onnx.checker.check_model(model)


def test_large_weights_stay_where_they_are():
    model = with_functions(
        "g (float[1,4,8,8] x) => (float[1,64,6,6] y) { y = mine.Block(x, w) }",
        '<domain: "mine", opset_import: ["" : 18]> Block (x, w) => (y) { y = Conv(x, w) }',
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights(64, 4, 3, 3), "w"))
    assert changed(model, inline_functions) == (1, ["Conv"])
    assert [tensor.name for tensor in model.graph.initializer] == ["w"]
    assert [value.name for value in model.graph.input] == ["x"]


SQUEEZE = """
    sh{n} = Shape(m{n}) d{n} = Gather(sh{n}, place) is{n} = Equal(d{n}, one)
    v{n} = If (is{n}) <then_branch = t () => (float[a] p) {{ p = Squeeze(m{n}, place) }},
                       else_branch = e () => (float[b] q) {{ q = Identity(m{n}) }}>
"""


def test_the_squeeze_of_an_exporter_is_inlined_where_the_size_is_known():
    # Both branches have the same names in them, and the second condition depends on the first.
    body = "m0 = Relu(x)" + SQUEEZE.format(n=0) + "m1 = Neg(v0)" + SQUEEZE.format(n=1)
    model = model_of(
        f"g (float[2,1,1,3] x) => (float[2,3] y) {{ {body} y = Identity(v1) }}",
        place=np.array([1]),
        one=np.array([1]),
    )
    count, left = changed(model, make_shapes_static, inline_known_branches, drop_identities)
    assert left == ["Relu", "Squeeze", "Neg", "Squeeze"]
    assert count > 2


def test_the_branch_that_is_not_taken_and_nested_ones_go_as_well():
    model = model_of(
        """g (float[3] x) => (float[3] y, float[3] z) {
            y, z = If (no) <
                then_branch = t () => (float[3] p, float[3] r) { p = Relu(x) r = Neg(x) },
                else_branch = e () => (float[3] q, float[3] s) {
                    q = If (yes) <then_branch = tt () => (float[3] i) { i = Abs(x) },
                                  else_branch = ee () => (float[3] j) { j = Sin(x) }>
                    s = Add(q, w)
                }>
        }""",
        yes=np.array(True),
        no=np.array([False]),
        w=np.ones(3, np.float32),
    )
    count, left = changed(model, inline_known_branches, drop_identities)
    assert left == ["Abs", "Add"]
    assert count >= 2


def test_a_branch_that_only_hands_on_an_outer_value_is_inlined():
    model = model_of(
        """g (float[3] x) => (float[3] y) {
            r = Relu(x)
            v = If (yes) <then_branch = t () => (float[3] p) { p = Identity(r) },
                          else_branch = e () => (float[3] q) { q = Neg(r) }>
            y = Abs(v)
        }""",
        yes=np.array(True),
    )
    assert changed(model, inline_known_branches, drop_identities)[1] == ["Relu", "Abs"]


def test_an_if_with_a_condition_from_the_input_stays():
    model = model_of(
        """g (bool c, float[3] x) => (float[3] y) {
            y = If (c) <then_branch = t () => (float[3] p) { p = Relu(x) },
                        else_branch = e () => (float[3] q) { q = Neg(x) }>
        }"""
    )
    assert changed(model, inline_known_branches) == (0, ["If"])
