"""Layer normalisation in its parts is one operator, and what only looks like it is not."""

import numpy as np
import pytest

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.graph.onnx.layer_norm import join_layer_norms

CLOSE = 2e-6
PARTS = """
    m = ReduceMean<axes = [-1]>(x) d = Sub(x, m) s = Mul(d, d) v = ReduceMean<axes = [-1]>(s)
    e = Add(v, eps) r = Sqrt(e) n = Div(d, r)
"""


def norm_model(body, opset=17):
    return model_of(
        f"g (float[2,5,8] x) => (float[a,b,c] y) {{ {body} }}",
        opset=f'"" : {opset}',
        eps=np.array(1e-3, np.float32),
        g=weights(8),
        b=weights(8, seed=1),
        k=weights(1, 5, 1, low=0.2),
        last=np.array([2]),
    )


@pytest.mark.parametrize(
    "end",
    ["s1 = Mul(n, g) y = Add(s1, b)", "s1 = Mul(g, n) y = Add(b, s1)", "y = Mul(n, g)",
     "y = Add(n, b)", "y = Neg(n)"],
)  # fmt: skip
def test_the_parts_of_a_layer_norm_are_joined(end):
    count, left = changed(norm_model(PARTS + end), join_layer_norms, tolerance=CLOSE)
    assert count == 1
    assert left == ["LayerNormalization", *(["Neg"] if "Neg" in end else [])]


def test_axes_as_inputs_are_understood():
    body = PARTS.replace("<axes = [-1]>(x)", "(x, last)").replace("<axes = [-1]>(s)", "(s, last)")
    assert changed(norm_model(body + "y = Mul(n, g)", 18), join_layer_norms, tolerance=CLOSE) == (
        1,
        ["LayerNormalization"],
    )


def test_a_factor_that_is_none_of_the_last_axis_stays_behind_it():
    model = norm_model(PARTS + "y = Mul(n, k)")
    assert changed(model, join_layer_norms, tolerance=CLOSE)[1] == ["LayerNormalization", "Mul"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<axes = [-1]>(x)", "<axes = [1]>(x)"),
        ("<axes = [-1]>(s)", "<axes = [-2]>(s)"),
        ("Mul(d, d)", "Mul(d, x)"),
        ("Sub(x, m)", "Sub(m, x)"),
        ("Add(v, eps)", "Add(v, k)"),
        ("n = Div(d, r)", "o = Div(d, r) n = Add(o, d)"),
        ("n = Div(d, r)", "o = Div(d, r) n = Add(o, v)"),
    ],
)
def test_what_only_looks_like_one_stays(old, new):
    model = norm_model(PARTS.replace(old, new) + "y = Mul(n, g)")
    assert changed(model, join_layer_norms)[0] == 0


def test_a_file_whose_opset_lacks_the_operator_stays():
    assert changed(norm_model(PARTS + "y = Mul(n, g)", 13), join_layer_norms)[0] == 0
