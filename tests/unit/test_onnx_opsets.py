"""Files of old opsets compute what they did, in operators of opset 17."""

import numpy as np
import onnx
import pytest

from onnx_steps import changed, operators, weights
from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.graph.onnx.editing import opset_of
from rivulet.graph.onnx.opsets import convert_opset


def old(opset, body, output="float[a,b,c,d] y", **given):
    graph = f"g (float[1,4,6,6] x) => ({output}) {{ {body} }}"
    model = model_of(graph, opset=f'"" : {opset}', **given)
    model.ir_version = 4
    return model


def scales(*values):
    return np.array(values, np.float32)


CASES = {
    "Upsample 7": (8, 'y = Upsample<mode = "nearest", scales = [1.0, 1.0, 2.0, 3.0]>(x)', {}),
    "Upsample 7 linear": (
        8, 'y = Upsample<mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]>(x)', {},
    ),
    "Upsample 9": (9, "y = Upsample(x, s)", {"s": scales(1, 1, 2, 2)}),
    "Upsample 9 linear": (9, 'y = Upsample<mode = "linear">(x, s)', {"s": scales(1, 1, 2, 2)}),
    "Resize 10": (10, "y = Resize(x, s)", {"s": scales(1, 1, 1.5, 2.5)}),
    "Resize 10 smaller": (10, "y = Resize(x, s)", {"s": scales(1, 1, 0.7, 0.7)}),
    "Resize 10 linear": (10, 'y = Resize<mode = "linear">(x, s)', {"s": scales(1, 1, 1.5, 2)}),
    "Slice 1": (9, "y = Slice<axes = [1, 3], starts = [1, -3], ends = [3, 9999]>(x)", {}),
    "Slice 1 without axes": (9, "y = Slice<starts = [0, 1], ends = [1, 3]>(x)", {}),
    "TopK 1": (9, "y, i = TopK<axis = 1, k = 2>(x)", {}),
    "TopK 10": (10, "y, i = TopK<axis = 3>(x, k)", {"k": np.array([2])}),
    "Clip 6": (9, "y = Clip<min = -0.5, max = 0.5>(x)", {}),
    "Clip 6 without a minimum": (9, "y = Clip<max = 0.5>(x)", {}),
    "Pad 2": (9, "y = Pad<pads = [0, 0, 1, 1, 0, 0, 2, 0], value = 0.5>(x)", {}),
    "Pad 2 reflect": (9, 'y = Pad<mode = "reflect", pads = [0, 0, 1, 1, 0, 0, 2, 0]>(x)', {}),
    "Softmax 1": (9, "y = Softmax<axis = 1>(x)", {}),
    "Softmax 11 by default": (11, "y = Softmax(x)", {}),
    "LogSoftmax 1": (9, "y = LogSoftmax<axis = 2>(x)", {}),
    "Split 2": (9, "y, z = Split<axis = 1, split = [1, 3]>(x)", {}),
    "Dropout 7": (9, "y = Dropout<ratio = 0.3>(x)", {}),
    "ReduceSum 1": (9, "y = ReduceSum<axes = [1]>(x)", {}),
    "Squeeze 1": (9, "s = ReduceMax<axes = [3]>(x) q = Squeeze<axes = [3]>(s) "
                     "y = Unsqueeze<axes = [3]>(q)", {}),
    "Scatter 9": (
        9, "y = Scatter<axis = 1>(x, i, u)",
        {"i": np.ones((1, 2, 6, 6), np.int64), "u": weights(1, 2, 6, 6)},
    ),
    "BatchNormalization 9": (
        9, "y = BatchNormalization<epsilon = 0.01>(x, g, g, g, v)",
        {"g": weights(4), "v": weights(4, low=0.5)},
    ),
    "MaxPool 8": (8, "y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x)", {}),
    "AveragePool 7": (
        8, "y = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x)", {},
    ),
    "Gemm 9": (
        9, "f = Flatten(x) y4 = Gemm<transB = 1>(f, w, c) y = Reshape(y4, to)",
        {"w": weights(5, 144), "c": weights(1, 5), "to": np.array([1, 5, 1, 1])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_operator_of_an_old_opset_stays_what_it_was(case):
    opset, body, given = CASES[case]
    model = old(opset, body, **given)
    changed(model, convert_opset)
    assert opset_of(model) == 17
    assert not {"Upsample", "Scatter"} & set(operators(model))


def test_a_newer_file_is_left_alone():
    model = old(17, "y = Relu(x)")
    before = model.SerializeToString()
    assert convert_opset(model) == 0
    assert model.SerializeToString() == before


def test_nodes_within_branches_are_converted_too():
    model = model_of(
        """g (bool c, float[2,3] x) => (float[2,3] y) {
            y = If (c) <then_branch = t () => (float[2,3] p) { p = Clip<min = 0.0, max = 1.0>(x) },
                        else_branch = e () => (float[2,3] q) { q = Relu(x) }>
        }""",
        opset='"" : 9',
    )
    changed(model, convert_opset)


def test_large_weights_are_not_handed_to_the_converter():
    model = old(9, "y = Conv(x, w)", w=weights(64, 4, 3, 3))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL  # unreadable to others
    model.graph.initializer[0].external_data.add(key="location", value="nowhere")
    convert_opset(model)
    assert [tensor.name for tensor in model.graph.initializer] == ["w"]
    assert [value.name for value in model.graph.input] == ["x"]


def test_what_cannot_be_converted_is_refused_with_opset_and_operator():
    model = model_of("g (float[2] x) => (float[2] y) { y = GRU(x, x, x) }", opset='"" : 6')
    with pytest.raises(UserError, match=r"opset 6 cannot be converted to 17 \(No Adapter .* GRU\)"):
        convert_opset(model)


def test_a_file_that_is_new_enough_stays_as_it_is_where_the_converter_fails():
    model = old(13, "y = Relu(x)")
    model.graph.node[0].op_type = "Unheard"
    before = model.SerializeToString()
    assert convert_opset(model) == 0
    assert model.SerializeToString() == before
