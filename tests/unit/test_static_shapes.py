"""Shapes that follow from the input's fixed shape become constants, and outputs stay."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from rivulet.graph.onnx.static_shapes import make_shapes_static, static_shapes

SHAPE = [1, 8, 4, 6]


def constant(name, *values, dtype=np.int64):
    value = np.array(values, dtype)
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def model_of(nodes, weights=(), rank=4):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(value, name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def outputs(model):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    array = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    return session.run(None, {"input": array})[0]


def folded(model):
    """Fold, and check what must hold in every case."""
    before = outputs(model)
    count = make_shapes_static(model)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(outputs(model), before)
    return count, [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def shuffle_nodes():
    """Channels shuffled in two groups, as an exporter writes it: sizes are asked of the tensor."""
    return [
        helper.make_node("Relu", ["input"], ["x"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        *(constant(f"i{n}", n) for n in range(4)),
        *(helper.make_node("Gather", ["shape", f"i{n}"], [f"d{n}"]) for n in range(4)),
        constant("groups", 2),
        helper.make_node("Div", ["d1", "groups"], ["each"]),
        helper.make_node("Concat", ["d0", "groups", "each", "d2", "d3"], ["split"], axis=0),
        helper.make_node("Reshape", ["x", "split"], ["five"]),
        helper.make_node("Transpose", ["five"], ["swapped"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Concat", ["d0", "d1", "d2", "d3"], ["whole"], axis=0),
        helper.make_node("Reshape", ["swapped", "whole"], ["output"]),
    ]


def test_a_channel_shuffle_has_no_sizes_left_to_work_out():
    model = model_of(shuffle_nodes())
    count, left = folded(model)
    assert left == ["Relu", "Reshape", "Transpose", "Reshape"]
    assert count == 8  # Shape, four Gather, Div, two Concat
    assert static_shapes(model)["five"] == (1, 2, 4, 4, 6)
    # Constants that only the folded nodes read are gone, too.
    assert sum(node.op_type == "Constant" for node in model.graph.node) == 2


def test_shapes_known_only_after_a_first_round_are_folded_in_a_second():
    # ONNX's own inference does not follow sizes through Mod: the second Shape is unknown until
    # the first Reshape has a constant.
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"], start=1, end=3),  # 8, 4
        constant("seven", 7),
        helper.make_node("Mod", ["shape", "seven"], ["rest"]),  # 1, 4
        constant("open", -1),
        helper.make_node("Concat", ["rest", "open"], ["first"], axis=0),
        helper.make_node("Reshape", ["input", "first"], ["x"]),  # 1, 4, 48
        helper.make_node("Shape", ["x"], ["second"]),
        helper.make_node("ReduceProd", ["second"], ["all"], keepdims=1),
        helper.make_node("Reshape", ["x", "all"], ["output"]),
    ]
    model = model_of(nodes, rank=1)
    _, left = folded(model)
    assert left == ["Reshape", "Reshape"]
    assert static_shapes(model)["x"] == (1, 4, 48)
    assert outputs(model).shape == (192,)


def test_a_mask_becomes_a_weight_and_a_scalar_stays_inline():
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"]),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["mask"],
            value=helper.make_tensor("v", TensorProto.FLOAT, [1], [2.5]),
        ),
        helper.make_node("Mul", ["input", "mask"], ["masked"]),
        helper.make_node("Cast", ["scale"], ["scale32"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["masked", "scale32"], ["output"]),
    ]  # fmt: skip
    model = model_of(nodes, [("scale", np.array(3, np.int64))])
    _, left = folded(model)
    assert left.count("Mul") == 2
    assert [tensor.name for tensor in model.graph.initializer] == ["mask"]
    inline = next(n for n in model.graph.node if "scale32" in n.output)
    assert inline.op_type == "Constant"
    assert numpy_helper.to_array(inline.attribute[0].t).shape == ()


def test_noise_stays():
    node = helper.make_node("RandomNormalLike", ["w"], ["y"])
    add = helper.make_node("Add", ["input", "y"], ["output"])
    model = model_of([node, add], [("w", np.ones(6, np.float32))])
    before = model.SerializeToString()
    assert make_shapes_static(model) == 0
    assert model.SerializeToString() == before


def test_quantised_weights_are_what_they_stand_for():
    weights = [
        ("whole", np.array([-1, 2, -3, 4, -5, 100], np.int8)),
        ("real", np.array([-1, 2, -3, 4, -5.2, 100], np.float32)),
        ("s", np.array(0.5, np.float32)),
        ("z", np.array(1, np.int8)),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["whole", "s", "z"], ["a"]),
        helper.make_node("QuantizeLinear", ["real", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["b"]),
        helper.make_node("QuantizeLinear", ["input", "s", "z"], ["i"]),
        helper.make_node("DequantizeLinear", ["i", "s", "z"], ["x"]),
        helper.make_node("Sum", ["x", "a", "b"], ["output"]),
    ]
    model = model_of(nodes, weights)
    _, left = folded(model)
    assert left == ["QuantizeLinear", "DequantizeLinear", "Sum"]
    made = {t.name: numpy_helper.to_array(t).tolist() for t in model.graph.initializer}
    assert made["a"] == [-1, 0.5, -2, 1.5, -3, 49.5]
    assert made["b"] == [-1, 2, -3, 4, -5, 63]  # no integer of 8 bits stands for more


def test_what_large_weights_go_through_is_left_to_the_compiler():
    weights = [("w", np.ones((400_000, 6), np.float32))]
    nodes = [
        helper.make_node("Transpose", ["w"], ["wt"]),
        helper.make_node("Shape", ["input"], ["shape"]),
        helper.make_node("Reshape", ["input", "shape"], ["x"]),
        helper.make_node("MatMul", ["x", "wt"], ["output"]),
    ]
    _, left = folded(model_of(nodes, weights))
    assert left == ["Transpose", "Reshape", "MatMul"]


def test_a_value_read_only_within_a_branch_is_kept():
    def branch(name, factor):
        value = numpy_helper.from_array(np.array(factor, np.float32))
        nodes = [
            helper.make_node("Constant", [], [f"{name}_f"], value=value),
            helper.make_node("Cast", ["first"], [f"{name}_n"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_n", f"{name}_f"], [name]),
        ]
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
        return helper.make_graph(nodes, name, [], [out])

    nodes = [
        helper.make_node("Shape", ["input"], ["shape"]),
        constant("one", 1),
        helper.make_node("Gather", ["shape", "one"], ["first"]),
        helper.make_node("ReduceSum", ["input"], ["sum"], keepdims=0),
        constant("zero", 0.0, dtype=np.float32),
        helper.make_node("Squeeze", ["zero"], ["nought"]),
        helper.make_node("Greater", ["sum", "nought"], ["which"]),
        helper.make_node(
            "If", ["which"], ["factor"],
            then_branch=branch("yes", 2), else_branch=branch("no", 3),
        ),
        helper.make_node("Mul", ["input", "factor"], ["output"]),
    ]  # fmt: skip
    _, left = folded(model_of(nodes))
    assert left == ["ReduceSum", "Greater", "If", "Mul"]


def test_a_size_that_nobody_knows_stays():
    nodes = [
        helper.make_node("NonZero", ["input"], ["found"]),
        helper.make_node("Shape", ["found"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["output"], to=TensorProto.FLOAT),
    ]
    count, left = folded(model_of(nodes, rank=1))
    assert count == 0
    assert left == ["NonZero", "Shape", "Cast"]
