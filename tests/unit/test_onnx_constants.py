"""What is a weight and what is part of the graph."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx_steps import changed, weights
from onnx_text import model_of
from rivulet.graph.onnx.constants import constants_to_weights, small_weights_to_constants
from rivulet.graph.onnx.editing import dense


def weight_names(model):
    return sorted(tensor.name for tensor in model.graph.initializer)


def test_a_file_without_initializers_has_weights_afterwards():
    model = model_of("g (float[2,3] x) => (float[2,4] y) { m = MatMul(x, w) y = Add(m, b) }")
    for name, value in (("w", weights(3, 4)), ("b", weights(4))):
        node = helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        model.graph.node.insert(0, node)
    assert changed(model, constants_to_weights) == (2, ["MatMul", "Add"])
    assert weight_names(model) == ["b", "w"]


def test_every_spelling_of_a_constant_is_understood():
    model = model_of(
        """g (float[2,3] x) => (float[6] y, int64[2] n) {
            row = Constant<value_floats = [1.0, 2.0, 3.0]>()
            half = Constant<value_float = 0.5>()
            flat = Constant<value_ints = [6]>()
            two = Constant<value_int = 2>()
            a = Add(x, row)
            b = Mul(a, half)
            y = Reshape(b, flat)
            s = Shape(x)
            n = Mul(s, two)
        }"""
    )
    assert changed(model, constants_to_weights)[0] == 1
    assert weight_names(model) == ["row"]  # scalars and shapes stay where they are read
    assert sum(node.op_type == "Constant" for node in model.graph.node) == 3


def sparse(shape, flat):
    values = numpy_helper.from_array(np.array([1.5, -2.0], np.float32), "w")
    places = np.array([1, 4]) if flat else np.array([[0, 1], [1, 1]])
    indices = numpy_helper.from_array(places.astype(np.int64), "places")
    return onnx.SparseTensorProto(values=values, indices=indices, dims=shape)


def test_sparse_constants_become_dense_weights():
    model = model_of("g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }")
    node = helper.make_node("Constant", [], ["w"], sparse_value=sparse([2, 3], flat=True))
    model.graph.node.insert(0, node)
    assert changed(model, constants_to_weights) == (1, ["Add"])
    np.testing.assert_array_equal(dense(sparse([2, 3], flat=True)), [[0, 1.5, 0], [0, -2, 0]])
    np.testing.assert_array_equal(dense(sparse([2, 3], flat=False)), [[0, 1.5, 0], [0, -2, 0]])


def test_small_integers_and_scalars_of_the_weights_become_constants():
    model = model_of(
        "g (float[2,3] x) => (float[3,2] y) { r = Reshape(x, to) m = Mul(r, half) y = Add(m, w) }",
        to=np.array([3, 2]),
        half=np.array(0.5, np.float32),
        w=weights(3, 2),
    )
    assert changed(model, small_weights_to_constants) == (2, ["Reshape", "Mul", "Add"])
    assert weight_names(model) == ["w"]
    assert [n.output[0] for n in model.graph.node if n.op_type == "Constant"] == ["to", "half"]


def test_a_weight_that_is_an_output_stays_one():
    model = model_of(
        "g (float[2] x) => (float[2] y, int64[2] n) { y = Relu(x) }", n=np.array([1, 2])
    )
    assert changed(model, small_weights_to_constants)[0] == 0
    assert weight_names(model) == ["n"]
