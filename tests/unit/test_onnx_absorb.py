"""Scales and shifts of channels are in the weights before them, or are two constants."""

import numpy as np
import onnx
import pytest

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.graph.onnx.absorb import absorb_scales
from rivulet.graph.onnx.batch_norm import lone_batch_norms
from rivulet.graph.onnx.cleanup import clean_up
from rivulet.graph.onnx.training import refuse_training
from rivulet.graph.onnx.transposes import scales_before_transposes

CLOSE = 2e-6
NORM = "BatchNormalization<epsilon = 0.001>"


def statistics(channels, kind=np.float32):
    named = {"g": weights(channels, seed=1, low=0.5), "s": weights(channels, seed=2)}
    named |= {"m": weights(channels, seed=3), "v": weights(channels, seed=4, low=0.2)}
    return {name: value.astype(kind) for name, value in named.items()}


def image_model(body, opset='"" : 18', **given):
    graph = f"g (float[2,4,6,6] x) => (float[a,b,c,d] y) {{ {body} }}"
    return model_of(graph, opset=opset, **given)


@pytest.mark.parametrize("bias", [{}, {"b": weights(8, seed=5)}], ids=["no bias", "bias"])
def test_batch_norm_goes_into_the_convolution_before_it(bias):
    model = image_model(
        f"c = Conv(x, w{', b' if bias else ''}) y = {NORM}(c, g, s, m, v)",
        w=weights(8, 4, 3, 3), **bias, **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE) == (1, ["Conv"])
    assert len(model.graph.initializer) == 2


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_batch_norm_goes_into_convolutions_of_any_groups(groups):
    model = image_model(
        f"c = Conv<group = {groups}>(x, w) y = {NORM}(c, g, s, m, v)",
        w=weights(8, 4 // groups, 3, 3), **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE)[1] == ["Conv"]


@pytest.mark.parametrize("groups", [1, 2])
def test_batch_norm_goes_into_a_transposed_convolution(groups):
    model = image_model(
        f"c = ConvTranspose<group = {groups}, strides = [2, 2]>(x, w) y = {NORM}(c, g, s, m, v)",
        w=weights(4, 8 // groups, 3, 3), **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE)[1] == ["ConvTranspose"]


@pytest.mark.parametrize("turned", [0, 1])
def test_batch_norm_goes_into_a_linear_layer(turned):
    given = statistics(5)
    given["w"] = weights(5, 7) if turned else weights(7, 5)
    layer = f"c = Gemm<transB = {turned}>(x, w, s)"
    model = model_of(
        f"g (float[3,7] x) => (float[3,5] y) {{ {layer} y = {NORM}(c, g, s, m, v) }}", **given
    )
    assert changed(model, absorb_scales, tolerance=CLOSE) == (1, ["Gemm"])


def test_behind_a_matrix_product_only_the_sum_stays():
    model = model_of(
        f"g (float[3,7] x) => (float[3,5] y) {{ c = MatMul(x, w) y = {NORM}(c, g, s, m, v) }}",
        w=weights(7, 5), **statistics(5),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE) == (1, ["MatMul", "Add"])


def test_a_bias_alone_behind_a_matrix_product_is_left_to_it():
    model = model_of(
        "g (float[2,3,7] x) => (float[2,3,5] y) { c = MatMul(x, w) y = Add(c, b) }",
        w=weights(7, 5), b=weights(5),
    )  # fmt: skip
    assert changed(model, absorb_scales) == (0, ["MatMul", "Add"])


def test_a_chain_of_factors_and_terms_is_one_convolution():
    model = image_model(
        "c = Conv(x, w) d = Mul(k, c) e = Add(d, k) f = Div(e, h) g1 = Sub(f, k) y = Sub(h, g1)",
        w=weights(8, 4, 3, 3), k=weights(8, 1, 1, low=0.5), h=np.array(3, np.float32),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE) == (5, ["Conv"])


def test_what_is_read_twice_or_not_by_channel_or_divides_stays():
    bodies = [
        "c = Conv(x, w) d = Mul(c, k) y = Add(d, c)",  # read twice
        "c = Conv(x, w) y = Mul(c, row)",  # along the width
        "c = Conv(x, w) y = Div(k, c)",
        "c = Conv(x, w) y = Mul(c, c)",
        "c = Conv(x, w) d = Relu(c) y = Mul(d, k)",
        "c = Conv(x, w) y = Mul(c, wide)",  # makes the value larger
    ]
    for body in bodies:
        given = {
            "w": weights(1, 4, 3, 3), "k": weights(1, 1, 1),
            "row": weights(4), "wide": weights(6, 1, 1),
        }  # fmt: skip
        assert changed(image_model(body, **given), absorb_scales)[0] == 0, body


def test_an_output_of_the_model_between_the_two_stays():
    model = model_of(
        f"""g (float[1,4,6,6] x) => (float[1,8,4,4] c, float[1,8,4,4] y) {{
            c = Conv(x, w) y = {NORM}(c, g, s, m, v)
        }}""",
        w=weights(8, 4, 3, 3), **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales)[0] == 0


def test_weights_that_two_convolutions_share_are_scaled_for_one():
    model = image_model(
        f"c = Conv(x, w) n = {NORM}(c, g, s, m, v) d = Conv(x, w) y = Add(n, d)",
        w=weights(8, 4, 3, 3), **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales, tolerance=CLOSE) == (1, ["Conv", "Conv", "Add"])


def test_factors_that_weights_cannot_hold_stay():
    for factor in (1e38, 1e-38):
        model = image_model(
            "c = Conv(x, w) y = Mul(c, f)",
            w=weights(8, 4, 3, 3) * np.float32(10), f=np.array(factor, np.float32),
        )  # fmt: skip
        assert absorb_scales(model) == 0


def test_a_lone_batch_norm_is_a_product_and_a_sum():
    model = image_model(f"r = Relu(x) y = {NORM}(r, g, s, m, v)", **statistics(4))
    count, left = changed(model, absorb_scales, lone_batch_norms, tolerance=CLOSE)
    assert (count, left) == (1, ["Relu", "Mul", "Add"])
    assert [tuple(tensor.dims) for tensor in model.graph.initializer] == [(1, 4, 1, 1)] * 2


@pytest.mark.parametrize("shape", ["3,4", "3,4,5", "2,4,3,2,2"])
def test_a_lone_batch_norm_of_any_rank_is_rewritten(shape):
    model = model_of(
        f"g (float[{shape}] x) => (float[{shape}] y) {{ y = BatchNormalization(x, g, s, m, v) }}",
        **statistics(4),
    )
    assert changed(model, lone_batch_norms, tolerance=CLOSE)[1] == ["Mul", "Add"]


def test_batch_norm_of_half_precision_is_rounded_once():
    model = model_of(
        "g (float16[1,4,3,3] x) => (float16[1,4,3,3] y) { y = BatchNormalization(x, g, s, m, v) }",
        **statistics(4, np.float16),
    )
    assert changed(model, lone_batch_norms, tolerance=2e-3)[1] == ["Mul", "Add"]


@pytest.mark.parametrize(
    ("opset", "node"),
    [
        (18, "y, a, b = BatchNormalization<training_mode = 1>(x, g, s, m, v)"),
        (13, "y, a, b, d, e = BatchNormalization(x, g, s, m, v)"),
        (9, "y, a, b, d, e = BatchNormalization(x, g, s, m, v)"),
    ],
)
def test_training_mode_is_refused_by_name(opset, node):
    model = image_model(f"[norm] {node}", opset=f'"" : {opset}', **statistics(4))
    with pytest.raises(UserError, match=r"BatchNormalization 'norm' is in training .* eval\(\)"):
        clean_up(model)


def test_inference_mode_passes():
    model = image_model("y = BatchNormalization(x, g, s, m, v)", **statistics(4))
    assert changed(model, refuse_training)[0] == 0


def test_quantised_weights_are_not_looked_into():
    model = image_model(
        f"w = DequantizeLinear(q, z) c = Conv(x, w) y = {NORM}(c, g, s, m, v)",
        q=np.ones((8, 4, 3, 3), np.int8), z=np.array(0.1, np.float32), **statistics(8),
    )  # fmt: skip
    assert changed(model, absorb_scales)[0] == 0
    assert onnx.TensorProto.INT8 in {tensor.data_type for tensor in model.graph.initializer}


@pytest.mark.parametrize("first", ["t, k", "k, t"])
def test_a_layer_scale_behind_a_transpose_goes_into_the_linear_layer(first):
    model = model_of(
        f"""g (float[2,3,5,4] x) => (float[2,6,3,5] y) {{
            p = MatMul(x, w) q = Add(p, b) t = Transpose<perm = [0, 3, 1, 2]>(q)
            s = Mul({first}) y = Sub(s, h)
        }}""",
        w=weights(4, 6), b=weights(6), k=weights(6, 1, 1), h=np.array(0.25, np.float32),
    )  # fmt: skip
    count, left = changed(model, scales_before_transposes, absorb_scales, tolerance=CLOSE)
    assert count == 2 + 3
    assert left == ["MatMul", "Add", "Transpose"]


def test_what_is_behind_a_transpose_of_no_product_stays():
    bodies = [
        "r = Relu(x) t = Transpose(r) y = Mul(t, k)",
        "r = MatMul(x, w) t = Transpose(r) s = Mul(t, k) y = Add(s, t)",
        "r = MatMul(x, w) t = Transpose(r) y = Mul(t, whole)",
        "r = MatMul(x, w) t = Transpose(r) y = Div(t, t)",
    ]
    for body in bodies:
        model = model_of(
            f"g (float[3,4] x) => (float[4,3] y) {{ {body} }}",
            w=weights(4, 4), k=weights(4, 1), whole=weights(4, 3),
        )  # fmt: skip
        assert changed(model, scales_before_transposes)[0] == 0, body
