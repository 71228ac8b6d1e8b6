"""Spelling of the domain, and weights that a file lists as inputs."""

import pytest

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.graph.onnx.header import spell_domain, weights_are_no_inputs


def test_the_long_name_of_the_domain_is_the_short_one():
    model = model_of("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }", opset='"ai.onnx" : 18')
    model.graph.node[0].domain = "ai.onnx"
    count, left = changed(model, spell_domain)
    assert (count, left) == (2, ["Relu"])
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert model.graph.node[0].domain == ""


def test_both_spellings_in_one_file_are_one_entry():
    model = model_of(
        "g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }", opset='"ai.onnx" : 18, "" : 17'
    )
    spell_domain(model)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


def test_a_file_without_onnx_operators_declared_is_refused_by_operator():
    model = model_of("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }", opset='"ai.onnx.ml" : 3')
    with pytest.raises(UserError, match="Relu: the file declares no opset"):
        spell_domain(model)


def test_weights_of_an_old_file_are_not_inputs():
    model = model_of(
        "g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = MatMul(x, w) }", w=weights(3, 4)
    )
    model.ir_version = 3
    weights_are_no_inputs(model)
    assert [value.name for value in model.graph.input] == ["x"]
    assert model.ir_version >= 4
    assert changed(model, weights_are_no_inputs)[0] == 0
