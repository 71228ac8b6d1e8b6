"""Own converters: numbers as ONNX Runtime's, and Relax operators that passes know."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rivulet.errors import UserError
from rivulet.graph.importing import import_onnx
from rivulet.graph.onnx.cleanup import clean_up
from rivulet.graph.prepare import prepare_model
from rivulet.tvm_compat import load_tvm


def graph_of(nodes, inputs, weights, opset=18):
    """A model of some nodes; the last output of the last node is the model's."""
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    output = helper.make_empty_tensor_value_info(nodes[-1].output[0])
    stored = [numpy_helper.from_array(np.asarray(v), n) for n, v in weights.items()]
    graph = helper.make_graph(nodes, "g", values, [output], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def operators(model):
    """Names of the Relax operators that a model is imported as."""
    load_tvm()
    from tvm import relax

    module, _ = import_onnx(clean_up(onnx.ModelProto.FromString(model.SerializeToString()))[0])
    found = []

    def visit(expression):
        if isinstance(expression, relax.Call):
            found.append(expression.op.name)

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def compare(model, target, tmp_path, tolerance=1e-5):
    """The compiled model's output against ONNX Runtime's."""
    import onnxruntime

    tvm = load_tvm()
    from tvm import relax

    path = tmp_path / "model.onnx"
    onnx.save(model, str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = np.random.default_rng(7)
    given = {
        i.name: values.standard_normal(i.shape).astype("float32") for i in session.get_inputs()
    }
    (wanted,) = session.run(None, given)
    prepared = prepare_model(path, target)
    machine = relax.VirtualMachine(tvm.compile(prepared.module, target), tvm.cpu())
    got = machine["main"](*map(tvm.runtime.tensor, given.values()), *prepared.params).numpy()
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def weight(*shape, seed=3):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def node(operator, inputs, **attributes):
    return helper.make_node(operator, inputs, ["y"], name="n", **attributes)


ACTIVATIONS = [
    ("Clip", {}, {"lo": np.float32(0), "hi": np.float32(6)}),
    ("HardSwish", {}, {}),
    ("HardSigmoid", {"alpha": 0.3}, {}),
    ("Gelu", {}, {}),
    ("Gelu", {"approximate": "tanh"}, {}),
    ("Mish", {}, {}),
    ("Softplus", {}, {}),
    ("Elu", {"alpha": 1.5}, {}),
    ("Selu", {}, {}),
    ("Celu", {"alpha": 2.0}, {}),
    ("LeakyRelu", {"alpha": 0.2}, {}),
    ("PRelu", {}, {"slope": weight(4, 1, 1)}),
    ("ThresholdedRelu", {"alpha": 0.5}, {}),
    ("Shrink", {"lambd": 0.4, "bias": 0.1}, {}),
]


@pytest.mark.parametrize(("operator", "attributes", "weights"), ACTIVATIONS)
def test_an_activation_is_elementwise_operators(operator, attributes, weights):
    model = graph_of(
        [node(operator, ["x", *weights], **attributes)], {"x": [1, 4, 5, 5]}, weights, opset=20
    )
    assert "relax.call_tir" not in operators(model)


def test_activations_in_a_row_are_right(target, tmp_path):
    nodes, weights, value = [], {}, "x"
    for place, (operator, attributes, given) in enumerate(ACTIVATIONS):
        if operator == "Clip":
            continue  # it would hide what the others do to large values
        names = {name: f"{name}{place}" for name in given}
        weights |= {names[name]: number for name, number in given.items()}
        nodes.append(
            helper.make_node(operator, [value, *names.values()], [f"v{place}"], **attributes)
        )
        value = f"v{place}"
        nodes.append(helper.make_node("Sub", [value, "x"], [f"{value}x"]))
        value = f"{value}x"
    compare(graph_of(nodes, {"x": [1, 4, 5, 5]}, weights, 20), target, tmp_path, 1e-4)


def test_activations_of_large_numbers_are_finite(target):
    tvm = load_tvm()
    from tvm import relax

    for operator in ("Mish", "Softplus", "Elu", "Gelu"):
        model = graph_of([node(operator, ["x"])], {"x": [4]}, {}, opset=20)
        module, _ = import_onnx(clean_up(model)[0])
        machine = relax.VirtualMachine(tvm.compile(module, target), tvm.cpu())
        x = np.array([-300, -100, 100, 300], dtype="float32")
        y = machine["main"](tvm.runtime.tensor(x)).numpy()
        np.testing.assert_allclose(y[2:], x[2:])
        assert np.isfinite(y).all()


TRANSPOSED = {
    "2d": ([1, 3, 5, 6], (3, 4, 3, 3), {"strides": [2, 2]}),
    "kernel a multiple of the stride": ([1, 3, 5, 6], (3, 4, 4, 4),
                                        {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "kernel below the stride": ([1, 3, 4, 4], (3, 2, 2, 2), {"strides": [3, 3]}),
    "stride 1": ([1, 3, 6, 6], (3, 4, 3, 3), {"pads": [1, 0, 2, 1]}),
    "dilated": ([1, 3, 5, 5], (3, 4, 3, 3), {"strides": [2, 1], "dilations": [2, 3]}),
    "grouped": ([1, 4, 5, 5], (4, 3, 3, 3), {"group": 2, "strides": [2, 2]}),
    "depthwise": ([1, 4, 5, 5], (4, 1, 4, 4), {"group": 4, "strides": [2, 2]}),
    "output padding": ([1, 3, 5, 5], (3, 4, 3, 3),
                       {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    "much padding": ([1, 3, 7, 7], (3, 4, 3, 3), {"strides": [2, 2], "pads": [4, 3, 5, 2]}),
    "SAME_UPPER": ([1, 3, 5, 5], (3, 4, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "output shape": ([1, 3, 5, 5], (3, 4, 3, 3), {"strides": [3, 3], "output_shape": [16, 15]}),
    "1d": ([2, 3, 9], (3, 4, 4), {"strides": [2], "pads": [1, 1]}),
    "3d": ([1, 2, 3, 4, 3], (2, 3, 2, 3, 2), {"strides": [2, 1, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposed_convolution_is_an_ordinary_one(name, target, tmp_path):
    shape, kernel, attributes = TRANSPOSED[name]
    weights = {"w": weight(*kernel), "b": weight(kernel[1] * attributes.get("group", 1))}
    model = graph_of([node("ConvTranspose", ["x", "w", "b"], **attributes)], {"x": shape}, weights)
    assert not any("transpose" in found for found in operators(model))
    compare(model, target, tmp_path)


def test_a_transposed_convolution_works_between_convolutions(target, tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["1"], ["2"]),
        helper.make_node("ConvTranspose", ["2", "b"], ["3"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["3", "c"], ["y"], pads=[1, 1, 1, 1]),
    ]
    weights = {"a": weight(8, 3, 3, 3), "b": weight(8, 4, 4, 4), "c": weight(5, 4, 3, 3)}
    compare(graph_of(nodes, {"x": [1, 3, 6, 6]}, weights), target, tmp_path, 1e-4)


def sizes(*extents):
    return {"sizes": np.array(extents, dtype="int64")}


def scales(*factors):
    return {"scales": np.array(factors, dtype="float32")}


RESIZED = {
    "nearest, fraction": (scales(1, 1, 1.5, 1.7), {}),
    "nearest, doubled": (scales(1, 1, 2, 2), {"coordinate_transformation_mode": "asymmetric",
                                              "nearest_mode": "floor"}),
    "linear, fraction": (scales(1, 1, 1.5, 1.7), {"mode": "linear"}),
    "linear, pytorch": (sizes(1, 3, 9, 4), {"mode": "linear",
                        "coordinate_transformation_mode": "pytorch_half_pixel"}),
    "linear, corners": (sizes(1, 3, 14, 9), {"mode": "linear",
                        "coordinate_transformation_mode": "align_corners"}),
    "linear, antialias": (sizes(1, 3, 4, 3), {"mode": "linear", "antialias": 1}),
    "cubic": (sizes(1, 3, 11, 9), {"mode": "cubic"}),
    "cubic, outside excluded": (scales(1, 1, 0.8, 1.3), {"mode": "cubic", "exclude_outside": 1,
                                                        "cubic_coeff_a": -0.5}),
    "axes": (sizes(10, 9), {"mode": "linear", "axes": [2, 3]}),
    "no larger than": (sizes(10, 30), {"axes": [2, 3],
                                       "keep_aspect_ratio_policy": "not_larger"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RESIZED)
def test_a_resize_is_right(name, target, tmp_path):
    weights, attributes = RESIZED[name]
    inputs = ["x", "", "scales"] if "scales" in weights else ["x", "", "", "sizes"]
    model = graph_of([node("Resize", inputs, **attributes)], {"x": [1, 3, 7, 6]}, weights)
    compare(model, target, tmp_path)


def test_a_resize_that_runtimes_disagree_about_is_refused():
    model = graph_of(
        [node("Resize", ["x", "", "scales"], mode="linear",
              coordinate_transformation_mode="align_corners")],
        {"x": [1, 3, 7, 6]}, scales(1, 1, 1.5, 1.5),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"node 'n' \(Resize\): align_corners .* with sizes"):
        operators(model)


IMAGES = {
    "LayerNormalization": ([node("LayerNormalization", ["x", "s", "b"], axis=1)],
                           {"s": weight(4, 6, 5), "b": weight(4, 6, 5, seed=4)}),
    "InstanceNormalization": ([node("InstanceNormalization", ["x", "s", "b"])],
                              {"s": weight(4), "b": weight(4, seed=4)}),
    "LRN": ([node("LRN", ["x"], size=3, alpha=0.1)], {}),
    "MaxPool, ceil": ([node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
                      {}),
    "AveragePool, ceil": ([node("AveragePool", ["x"], kernel_shape=[3, 3], strides=[2, 2],
                                ceil_mode=1, count_include_pad=1, pads=[1, 1, 1, 1])], {}),
    "LpPool": ([node("LpPool", ["x"], kernel_shape=[2, 2], strides=[2, 2])], {}),
    "Pad, reflect": ([node("Pad", ["x", "p"], mode="reflect")],
                     {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3])}),
    "Pad, edge": ([node("Pad", ["x", "p"], mode="edge")],
                  {"p": np.array([0, 1, 2, 1, 0, 0, -1, 2])}),
    "Tile": ([node("Tile", ["x", "r"])], {"r": np.array([1, 2, 1, 3])}),
    "Expand": ([node("Expand", ["x", "e"])], {"e": np.array([2, 1, 1, 1])}),
    "Sum": ([node("Sum", ["x", "s", "x"])], {"s": weight(4, 1, 1)}),
    "Mean": ([node("Mean", ["x", "s", "x"])], {"s": weight(5)}),
    "Min": ([node("Min", ["x", "s", "b"])], {"s": weight(4, 1, 1), "b": np.float32(0.3)}),
    "ReduceLogSumExp": ([node("ReduceLogSumExp", ["x", "a"], keepdims=0)], {"a": np.array([1, 3])}),
    "Trilu": ([node("Trilu", ["x"], upper=0)], {}),
    "CumSum": ([node("CumSum", ["x", "a"], reverse=1, exclusive=1)], {"a": np.array(1)}),
    "Einsum": ([node("Einsum", ["x", "s"], equation="bchw,wk->bckh")], {"s": weight(5, 7)}),
    "Gather": ([node("Gather", ["x", "i"], axis=2)], {"i": np.array([[-1, 0], [2, 2]])}),
    "Slice": ([node("Slice", ["x", "f", "t", "a", "k"])],
              {"f": np.array([-1]), "t": np.array([-100]), "a": np.array([2]),
               "k": np.array([-2])}),
    "Squeeze": ([helper.make_node("ReduceMax", ["x", "a"], ["m"]),
                 node("Squeeze", ["m", "a"])], {"a": np.array([-2, -1])}),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_an_operator_is_right_behind_a_convolution(name, target, tmp_path):
    nodes, weights = IMAGES[name]
    behind = [helper.make_node("Conv", ["image", "w"], ["x"], pads=[1, 1, 1, 1]), *nodes]
    model = graph_of(behind, {"image": [1, 3, 6, 5]}, {"w": weight(4, 3, 3, 3), **weights})
    assert "relax.call_tir" not in operators(model)
    compare(model, target, tmp_path, 1e-4)


def test_bounds_that_are_computed_clip_as_well(target, tmp_path):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Clip", ["x", "mean"], ["y"]),
    ]
    compare(graph_of(nodes, {"x": [3, 4]}, {}), target, tmp_path)


@pytest.mark.parametrize("exponent", [np.float32(0.5), np.float32(-1), np.int64(-2), np.int64(3)])
def test_a_power_of_integers_is_an_integer(exponent, target, tmp_path):
    nodes = [
        helper.make_node("Clip", ["x", "one"], ["least"]),
        helper.make_node("Cast", ["least"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mul", ["whole", "whole"], ["squares"]),
        helper.make_node("Pow", ["squares", "exponent"], ["y"]),
    ]
    weights = {"one": np.float32(1), "exponent": exponent}
    compare(graph_of(nodes, {"x": [64]}, weights), target, tmp_path, 0.0)


def test_an_operator_without_a_converter_is_refused_with_its_node():
    model = graph_of(
        [node("GRU", ["x", "w", "r"], hidden_size=4)],
        {"x": [5, 1, 3]},
        {"w": weight(1, 12, 3), "r": weight(1, 12, 4)},
    )
    with pytest.raises(UserError) as said:
        operators(model)
    assert str(said.value).startswith("node 'n' (GRU): TVM has no converter for it; docs/operators")


def test_a_node_that_cannot_be_converted_is_named_and_nothing_is_printed(capfd):
    model = graph_of([node("NonZero", ["x"])], {"x": [3, 4]}, {})
    with pytest.raises(UserError, match=r"node 'n' \(NonZero\): the size of its output depends"):
        operators(model)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("block", "settings"),
    [
        ([2, 3], {"strides": [2, 3]}),  # side by side
        ([3, 3], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),  # over each other, as timm's volo
        ([2, 2], {"dilations": [2, 3]}),
        ([3, 2], {"strides": [2, 1], "dilations": [2, 1], "pads": [0, 1, 2, 0]}),
        ([2, 2], {"strides": [5, 7]}),  # apart from each other
    ],
)
def test_blocks_are_added_up_into_an_image(block, settings, target, tmp_path):
    size = [12, 18]
    dilations, strides = settings.get("dilations", [1, 1]), settings.get("strides", [1, 1])
    pads = settings.get("pads", [0] * 4)
    counts = [
        (size[k] + pads[k] + pads[k + 2] - dilations[k] * (block[k] - 1) - 1) // strides[k] + 1
        for k in range(2)
    ]
    model = graph_of(
        [helper.make_node("Col2Im", ["x", "size", "block"], ["y"], **settings)],
        {"x": [2, 3 * block[0] * block[1], counts[0] * counts[1]]},
        {"size": np.array(size), "block": np.array(block)},
    )
    compare(model, target, tmp_path)
