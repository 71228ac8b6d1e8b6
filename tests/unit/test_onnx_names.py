"""Names of weights, options that say nothing, shapes in full, and the order of all steps."""

import numpy as np
import onnx
import pytest

from onnx_steps import changed, run_onnx, weights
from onnx_text import model_of
from rivulet.graph.onnx.cleanup import STEPS, clean_up
from rivulet.graph.onnx.names import rename_weights
from rivulet.graph.onnx.optional import drop_empty_options
from rivulet.graph.onnx.reshapes import literal_reshapes
from rivulet.graph.onnx.static_shapes import make_shapes_static
from rivulet.graph.onnx.unread import drop_unread_nodes


def weight_names(model):
    return [tensor.name for tensor in model.graph.initializer]


def renamed_inputs(model, **names):
    """Give names that the text form cannot write."""
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    for value in (*model.graph.input, *model.graph.initializer):
        value.name = names.get(value.name, value.name)
    return model


def test_weights_whose_names_an_importer_makes_one_are_apart():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { p = Mul(x, a) q = Add(p, b) r = Sub(q, c) "
        "y = Add(r, d) }",
        **{name: weights(3, seed=place) for place, name in enumerate("abcd")},
    )
    renamed_inputs(model, a="onnx::Add_7", b="Add_7", c="größe.ü", d="größe_ü", x="0:serving/in.1")
    assert changed(model, rename_weights)[0] == 4
    assert weight_names(model) == ["w0", "w1", "w2", "w3"]
    assert [value.name for value in model.graph.input] == ["0:serving/in.1"]


@pytest.mark.parametrize("name", ["w0", "onnx::w1", "w.0", "w_0"])
def test_weights_do_not_take_an_input_name_however_it_is_shortened(name):
    model = model_of("g (float[3] x) => (float[3] y) { y = Add(x, b) }", b=weights(3))
    renamed_inputs(model, x=name)
    changed(model, rename_weights)
    assert weight_names(model)[0].replace("_", "") == "w0"
    assert weight_names(model)[0] not in {name, name.removeprefix("onnx::")}


def test_a_weight_that_is_an_output_keeps_the_output_name():
    model = model_of(
        "g (float[2] x) => (float[2] y, float[2] priors) { y = Add(x, priors) }", priors=weights(2)
    )
    assert changed(model, rename_weights)[1] == ["Add", "Identity"]


def test_weights_read_within_a_branch_are_renamed_there():
    model = model_of(
        """g (bool c, float[2] x) => (float[2] y) {
            y = If (c) <then_branch = t () => (float[2] p) { p = Add(x, weight) },
                        else_branch = e () => (float[2] q) { q = Sub(x, weight) }>
        }""",
        weight=weights(2),
    )
    assert changed(model, rename_weights) == (1, ["If"])


def test_empty_scales_and_regions_of_a_resize_are_left_out():
    model = model_of(
        """g (float[1,2,4,4] x) => (float[1,2,8,8] y, float[1,2,8,8] z) {
            y = Resize<mode = "linear">(x, none, none, sizes)
            z = Resize(x, none, scales)
        }""",
        opset='"" : 13',
        none=np.zeros(0, np.float32),
        sizes=np.array([1, 2, 8, 8]),
        scales=np.array([1, 1, 2, 2], np.float32),
    )
    assert changed(model, drop_empty_options)[0] == 2
    assert [list(node.input) for node in model.graph.node] == [
        ["x", "", "", "sizes"],
        ["x", "", "scales"],
    ]


def test_outputs_that_nothing_reads_are_left_out():
    model = model_of(
        "g (float[1,2,4,4] x) => (float[1,2,2,2] y) "
        "{ y, places = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) }"
    )
    assert changed(model, drop_empty_options)[0] == 1
    assert list(model.graph.node[0].output) == ["y"]


def test_empty_names_of_options_are_no_values_to_fold():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { a = Add(x, best) y = Clip(a, , top) }",
        top=np.array(0.5, np.float32),
        k=weights(3),
    )
    dropout = onnx.helper.make_node("Dropout", ["k"], ["best", ""])
    model.graph.node.insert(0, dropout)
    assert changed(model, make_shapes_static) == (1, ["Add", "Clip"])


def test_sizes_asked_for_as_a_whole_are_known():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { n = Size(x) f = Cast<to = 1>(n) y = Div(x, f) }"
    )
    assert changed(model, make_shapes_static) == (2, ["Div"])


def test_a_reshape_names_every_extent():
    model = model_of(
        "g (float[2,3,4] x) => (float[a,b] y) { r = Reshape(x, s) y = Reshape(r, t) }",
        s=np.array([0, -1]),
        t=np.array([4, 6]),
    )
    assert changed(model, literal_reshapes) == (1, ["Reshape", "Reshape"])
    made = next(node for node in model.graph.node if node.op_type == "Constant")
    assert onnx.numpy_helper.to_array(made.attribute[0].t).tolist() == [2, 12]


def test_nodes_that_nothing_depends_on_are_gone():
    model = model_of(
        "g (float[2] x) => (float[2] y) { y = Relu(x) a = Neg(x) b = Add(a, w) }", w=weights(2)
    )
    assert changed(model, drop_unread_nodes) == (2, ["Relu"])
    assert weight_names(model) == []


def test_every_step_has_a_name_of_its_own_and_is_reported():
    model = model_of("g (float[2,4] x) => (float[2,3] y) { i = Identity(x) y = Gemm(i, w) }",
                     w=weights(4, 3))  # fmt: skip
    before = run_onnx(model)
    cleaned, did = clean_up(model)
    assert list(did) == [name for name, _ in STEPS]
    assert did["identities"] == 1
    np.testing.assert_array_equal(run_onnx(cleaned)[0], before[0])
    assert not any(count for count in clean_up(cleaned)[1].values())  # nothing is left to do
