"""Nodes that hand on what they are given are gone; outputs keep their names and values."""

import numpy as np
import pytest

from onnx_steps import changed
from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.graph.onnx.identities import drop_identities


def test_identities_and_dropouts_within_a_graph_are_gone():
    model = model_of(
        """g (float[2,3] x) => (float[2,3] y) {
            a = Identity(x) b = Dropout(a) c = Identity(b) d, mask = Dropout(c) y = Relu(d)
        }"""
    )
    assert changed(model, drop_identities) == (4, ["Relu"])
    assert model.graph.node[0].input[0] == "x"


def test_an_output_behind_identities_is_made_by_the_node_before_them():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y, float[2,3] z) "
        "{ r = Relu(x) i = Identity(r) y = Identity(i) z = Neg(r) }"
    )
    assert changed(model, drop_identities) == (2, ["Relu", "Neg"])
    assert model.graph.node[0].output[0] == "y"


def test_outputs_that_are_inputs_weights_or_each_other_keep_their_node():
    model = model_of(
        """g (float[2] x) => (float[2] y, float[2] same, float[2] image, float[2] priors) {
            r = Relu(x) y = Identity(r) same = Identity(r) image = Identity(x) priors = Dropout(w)
        }""",
        w=np.array([1, 2], np.float32),
    )
    count, left = changed(model, drop_identities)
    assert (count, left) == (1, ["Relu", "Identity", "Identity", "Identity"])


def test_a_mask_that_is_read_keeps_everything():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y, bool[2,3] mask) { d, mask = Dropout(x) y = Relu(d) }"
    )
    assert changed(model, drop_identities) == (1, ["Shape", "ConstantOfShape", "Relu"])


def test_a_name_read_only_within_a_branch_is_followed():
    model = model_of(
        """g (bool c, float[2] x) => (float[2] y) {
            i = Identity(x)
            y = If (c) <then_branch = t () => (float[2] p) { p = Relu(i) },
                        else_branch = e () => (float[2] q) { q = Neg(i) }>
        }"""
    )
    assert changed(model, drop_identities) == (1, ["If"])


def test_a_dropout_in_training_mode_is_refused_by_name():
    model = model_of(
        "g (float[2] x) => (float[2] y) { [drop] y = Dropout(x, ratio, training) }",
        ratio=np.array(0.5, np.float32),
        training=np.array(True),
    )
    with pytest.raises(UserError, match=r"Dropout 'drop' is in training mode; .* eval\(\)"):
        drop_identities(model)


def test_a_dropout_whose_mode_is_an_input_is_refused():
    model = model_of(
        "g (float[2] x, bool training) => (float[2] y) { y = Dropout(x, ratio, training) }",
        ratio=np.array(0.5, np.float32),
    )
    with pytest.raises(UserError, match="takes its mode from the input 'training'"):
        drop_identities(model)
