"""Operators that have a cheaper form: Gemm, Gather, Pow, Div, and scalars of attention."""

import numpy as np
import pytest

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.graph.onnx.gathers import gathers_to_slices
from rivulet.graph.onnx.gemm import plain_gemms
from rivulet.graph.onnx.powers import powers_to_products, quotients_to_products
from rivulet.graph.onnx.scalars import move_scalars

CLOSE = 2e-6


def constant_values(model):
    from rivulet.graph.onnx.editing import constant_value

    return [constant_value(node) for node in model.graph.node if node.op_type == "Constant"]


def test_weights_of_a_gemm_are_transposed_and_scaled_beforehand():
    model = model_of(
        """g (float[2,3] x) => (float[2,5] y, float[2,5] z) {
            y = Gemm<alpha = 0.5, beta = 2.0, transB = 1>(x, w, b)
            z = Gemm<alpha = 0.5, transB = 1>(y, v)
        }""",
        w=weights(5, 3), b=weights(5), v=weights(5, 5),
    )  # fmt: skip
    assert changed(model, plain_gemms, tolerance=CLOSE) == (3, ["Gemm", "Gemm"])
    assert not any(node.attribute for node in model.graph.node)
    assert [tuple(t.dims) for t in model.graph.initializer if len(t.dims) > 1] == [(3, 5), (5, 5)]


def test_shared_weights_of_gemms_are_transposed_once_and_inputs_stay_as_they_are():
    model = model_of(
        """g (float[2,3] x, float[3,2] m) => (float[2,3] y, float[2,3] z, float[2,2] n) {
            y = Gemm<transB = 1>(x, w) z = Gemm<transB = 1>(y, w)
            n = Gemm<transA = 1, transB = 1, alpha = 2.0>(m, x)
        }""",
        w=weights(3, 3),
    )
    assert changed(model, plain_gemms, tolerance=CLOSE)[0] == 2
    assert len(model.graph.initializer) == 1


@pytest.mark.parametrize(
    ("axis", "indices", "left"),
    [
        (0, np.array(1), ["Slice", "Squeeze"]),
        (-1, np.array(-1), ["Slice", "Squeeze"]),
        (1, np.array([2]), ["Slice"]),
        (1, np.array([1, 2, 3]), ["Slice"]),
        (1, np.array([0, 2], np.int32), ["Slice"]),
        (1, np.array([-4, -3]), ["Slice"]),
        (1, np.array([2, 1]), ["Gather"]),
        (1, np.array([0, 1, 3]), ["Gather"]),
        (1, np.array([1, 1]), ["Gather"]),
        (1, np.array([[0, 1]]), ["Gather"]),
    ],
)
def test_a_gather_of_neighbours_is_a_slice(axis, indices, left):
    rank = 3 + indices.ndim - 1
    extents = ",".join("abcd"[:rank])
    model = model_of(
        f"g (float[3,4,5] x) => (float[{extents}] y) {{ y = Gather<axis = {axis}>(x, i) }}",
        i=indices,
    )
    assert changed(model, gathers_to_slices)[1] == left


def test_a_gather_by_a_computed_index_stays():
    model = model_of(
        "g (float[4,3] x) => (float[4,3] y) { i = ArgMax<axis = 1, keepdims = 0>(x) "
        "y = Gather(x, i) }"
    )
    assert changed(model, gathers_to_slices)[0] == 0


@pytest.mark.parametrize(
    ("exponent", "left"),
    [
        (1.0, ["Abs", "Identity"]),
        (2.0, ["Abs", "Mul"]),
        (3.0, ["Abs", "Mul", "Mul"]),
        (4.0, ["Abs", "Mul", "Mul"]),
        (0.5, ["Abs", "Sqrt"]),
        (-0.5, ["Abs", "Sqrt", "Reciprocal"]),
        (-1.0, ["Abs", "Reciprocal"]),
        (-2.0, ["Abs", "Mul", "Reciprocal"]),
        (1.5, ["Abs", "Pow"]),
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_power_is_products_and_roots(exponent, left, shape):
    model = model_of(
        "g (float[3,4] x) => (float[3,4] y) { a = Abs(x) y = Pow(a, e) }",
        e=np.full(shape, exponent, np.float32),
    )
    assert changed(model, powers_to_products, tolerance=CLOSE)[1] == left


def test_powers_of_other_ranks_types_and_exponents_stay_right():
    model = model_of(
        """g (float[4] x, int64[3] n) => (float[1,4] wide, int64[3] whole, float[4] each) {
            wide = Pow(x, two) whole = Pow(n, e) each = Pow(x, many)
        }""",
        two=np.full((1, 1), 2, np.float32),
        e=np.array(2),
        many=np.array([1, 2, 2, 2], np.float32),
    )
    assert changed(model, powers_to_products)[1] == ["Pow", "Mul", "Pow"]


@pytest.mark.parametrize(
    "exponent",
    [np.array(-1), np.array(-2), *(np.array(e, np.float32) for e in (0.5, -0.5, -1.0, -2.0))],
)
def test_roots_and_reciprocals_of_integers_stay_powers(exponent):
    model = model_of(
        "g (float[6] x) => (int64[6] y) { f = Abs(x) p = Add(f, one) n = Cast<to = 7>(p) "
        "m = Mul(n, n) y = Pow(m, e) }",
        one=np.array(1, np.float32),
        e=exponent,
    )
    assert changed(model, powers_to_products)[1] == ["Abs", "Add", "Cast", "Mul", "Pow"]


def test_a_quotient_by_constants_is_a_product():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { a = Div(x, c) b = Div(a, w) y = Div(two, b) }",
        c=np.array(np.sqrt(2), np.float32),
        w=weights(3, low=0.5),
        two=np.array(2, np.float32),
    )
    assert changed(model, quotients_to_products, tolerance=CLOSE) == (2, ["Mul", "Mul", "Div"])


@pytest.mark.parametrize("divisor", [0.0, 1e-39, 3e38])
def test_a_quotient_whose_reciprocal_is_no_normal_number_stays(divisor):
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { y = Div(x, c) }", c=np.array(divisor, np.float32)
    )
    assert quotients_to_products(model) == 0


@pytest.mark.parametrize("step", ["Floor(d)", "Cast<to = 1>(d)", "Round(d)", "Mod<fmod = 1>(d, c)"])
def test_a_quotient_before_a_step_stays(step):
    model = model_of(
        f"g (float[2,3] x) => (float[2,3] y) {{ d = Div(x, c) y = {step} }}",
        c=np.array(3, np.float32),
    )
    assert changed(model, quotients_to_products)[0] == 0


def test_a_quotient_of_integers_stays():
    model = model_of("g (int64[3] x) => (int64[3] y) { y = Div(x, c) }", c=np.array(2))
    assert changed(model, quotients_to_products)[0] == 0


ATTENTION = """g (float[1,5,8] x) => (float[1,2,5,5] y) {
    q0 = MatMul(x, wq) q1 = Add(bq, q0) q2 = Reshape(q1, heads)
    q3 = Transpose<perm = [0, 2, 1, 3]>(q2)
    k0 = MatMul(x, wk) k1 = Add(k0, bq) k2 = Reshape(k1, heads)
    k3 = Transpose<perm = [0, 2, 3, 1]>(k2)
    BODY
}"""


def attention(body):
    return model_of(
        ATTENTION.replace("BODY", body),
        wq=weights(8, 8), wk=weights(8, 8, seed=1), bq=weights(8, seed=2),
        heads=np.array([1, 5, 2, 4]), c=np.array(2.3, np.float32), d=np.array(0.7, np.float32),
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "s = MatMul(q3, k3) y = Div(s, c)",
        "s = MatMul(q3, k3) y = Mul(c, s)",
        "q4 = Mul(q3, c) k4 = Mul(k3, d) y = MatMul(q4, k4)",
        "q4 = Div(q3, c) k4 = Mul(d, k3) s = MatMul(q4, k4) y = Mul(s, d)",
    ],
)
def test_the_scale_of_attention_is_in_the_weights_of_the_queries(body):
    # Something behind it, because outputs of the model keep their names.
    model = attention(body.replace("y =", "last =") + " y = Softmax(last)")
    count, left = changed(model, move_scalars, tolerance=CLOSE)
    assert count
    assert not {"Mul", "Div"} & set(left)


def test_queries_out_of_a_joint_layer_are_scaled_behind_the_product():
    model = model_of(
        """g (float[1,5,12] x) => (float[1,5,5] y) {
            j = MatMul(x, w) q, k, v = Split<axis = 2, num_outputs = 3>(j)
            q1 = Mul(q, c) t = Transpose<perm = [0, 2, 1]>(k) k1 = Mul(t, c)
            s = MatMul(q1, k1) p = Softmax(s) z = MatMul(p, v) u = Transpose<perm = [0, 2, 1]>(z)
            y = MatMul(v, u)
        }""",
        w=weights(12, 12), c=np.array(0.8, np.float32),
    )  # fmt: skip
    left = changed(model, move_scalars, tolerance=CLOSE)[1]
    assert left[:5] == ["MatMul", "Split", "Transpose", "MatMul", "Mul"]
    assert left.count("Mul") == 1


def test_the_half_of_gelu_is_in_the_weights_of_the_next_layer():
    model = model_of(
        """g (float[2,4] x) => (float[2,3] y) {
            e = Erf(x) f = Add(e, one) m = Mul(x, f) h = Mul(m, half) p = MatMul(h, w)
            y = Add(p, b)
        }""",
        one=np.array(1, np.float32), half=np.array(0.5, np.float32),
        w=weights(4, 3), b=weights(3),
    )  # fmt: skip
    assert changed(model, move_scalars, tolerance=CLOSE)[1] == [
        "Erf",
        "Add",
        "Mul",
        "MatMul",
        "Add",
    ]


def test_a_factor_of_a_value_that_others_read_stays():
    model = attention("q4 = Mul(q3, c) s = MatMul(q4, k3) t = ReduceMax(q4) y = Add(s, t)")
    assert changed(model, move_scalars, tolerance=CLOSE)[0] == 0


def test_half_precision_is_scaled_where_its_author_scaled_it():
    model = model_of(
        """g (float16[2,4] x, float16[4,2] k) => (float16[2,2] y) {
            q = Mul(x, c) y = MatMul(q, k)
        }""",
        c=np.array(0.1, np.float16),
    )
    assert changed(model, move_scalars) == (0, ["Mul", "MatMul"])
