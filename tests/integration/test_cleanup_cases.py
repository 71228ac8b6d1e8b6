"""Files as exporters have written them over the years: cleaned up, imported, compiled and right."""

import numpy as np
import onnx
import pytest

from onnx_steps import operators, run_onnx, weights
from onnx_text import model_of
from rivulet.errors import UserError
from rivulet.graph.onnx.cleanup import clean_up
from rivulet.graph.prepare import prepare_model
from rivulet.tvm_compat import load_tvm

FILTERS = {"w1": weights(4, 3, 3, 3), "b1": weights(4), "w2": weights(2, 4, 3, 3, seed=1)}


def image_model(between, opset=18, ir=10, result="y", **given):
    """Something between two convolutions."""
    graph = f"""g (float[1,3,8,8] image) => (float[n,c,h,w] {result}) {{
        c1 = Conv<pads = [1, 1, 1, 1]>(image, w1, b1) x = Relu(c1)
        {between}
        {result} = Conv<pads = [1, 1, 1, 1]>(u, w2)
    }}"""
    model = model_of(graph, opset=f'"" : {opset}', **{**FILTERS, **given})
    model.ir_version = ir
    return model


def compiled_outputs(model, path, target):
    """Outputs of the prepared model, compiled without schedules."""
    tvm = load_tvm()
    from tvm import relax

    path.write_bytes(model.SerializeToString())
    prepared = prepare_model(path, target)
    known = {tensor.name for tensor in model.graph.initializer}
    generator = np.random.default_rng(0)
    feeds = []
    for value in (value for value in model.graph.input if value.name not in known):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        feeds.append(tvm.runtime.tensor(generator.standard_normal(shape).astype(np.float32)))
    with target:
        machine = relax.VirtualMachine(tvm.compile(prepared.module, target), tvm.cpu())
    outputs = machine["main"](*feeds, *prepared.params)
    return [out.numpy() for out in ([outputs] if hasattr(outputs, "numpy") else outputs)]


def assert_right(model, path, target):
    expected = run_onnx(model)
    for want, got in zip(expected, compiled_outputs(model, path, target), strict=True):
        assert want.shape == got.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def scales(*values):
    return {"s": np.array(values, np.float32)}


SQUEEZE = """
    m = ReduceMean<keepdims = 1>(x, two) sh = Shape(m) d = Gather(sh, two) is1 = Equal(d, one)
    v = If (is1) <then_branch = t () => (float[a,b,c] p) { p = Squeeze(m, two) },
                  else_branch = e () => (float[a,b,c,d] q) { q = Identity(m) }>
    u = Unsqueeze(v, two)
"""
CASES = {
    "Upsample 9": image_model("u = Upsample(x, s)", 9, 4, **scales(1, 1, 2, 2)),
    "Upsample 8": image_model("u = Upsample<scales = [1.0, 1.0, 3.0, 3.0]>(x)", 8, 3),
    "Resize 10": image_model("u = Resize(x, s)", 10, 5, **scales(1, 1, 2, 2)),
    "Resize 11 with sizes": image_model(
        'u = Resize<mode = "linear">(x, none, none, sizes)', 11, 6,
        none=np.zeros(0, np.float32), sizes=np.array([1, 4, 16, 16]),
    ),
    "Slice 1": image_model("a = Slice<axes = [2], starts = [1], ends = [99]>(x) "
                           "u = Slice<starts = [0, 0], ends = [1, 4]>(a)", 9, 4),
    "TopK 10": image_model("u, places = TopK<axis = 3>(x, k)", 10, 5, k=np.array([3])),
    "Clip 6": image_model("u = Clip<min = 0.2, max = 0.6>(x)", 9, 4),
    "Pad 2": image_model("u = Pad<pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 0.5>(x)", 9, 4),
    "Dropout": image_model("u, mask = Dropout<ratio = 0.5>(x)", 11, 6),
    "squeeze as an If": image_model(SQUEEZE, two=np.array([2]), one=np.array([1])),
    "empty optional names": image_model(
        "a = Add(x, k) u = Clip(a, , top)", k=weights(1, 4, 1, 1), top=np.array(0.5, np.float32)
    ),
    "a perceptron of Caffe": image_model(
        "n = BatchNormalization(x, g, g, g, v) u = Relu(n)", 8, 3, g=weights(4),
        v=weights(4, low=0.5),
    ),
    "a Gather of channels": image_model("u = Gather<axis = 1>(x, i)", i=np.array([3, 1, 2, 0])),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_file_of_this_kind_is_compiled_right(case, target, tmp_path):
    assert_right(CASES[case], tmp_path / "model.onnx", target)


def test_a_file_of_the_oldest_format_lists_its_weights_as_inputs(target, tmp_path):
    model = image_model(
        "n = BatchNormalization(x, g, g, g, v) u = Dropout(n)", 8, 3,
        g=weights(4), v=weights(4, low=0.5),
    )  # fmt: skip
    for tensor in model.graph.initializer:
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    assert_right(model, tmp_path / "model.onnx", target)


def test_a_file_without_initializers_is_compiled_right(target, tmp_path):
    model = image_model("u = Expand(x, to)", to=np.array([1, 4, 8, 8]))
    for tensor in list(model.graph.initializer):
        node = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.node.insert(0, node)
    del model.graph.initializer[:]
    assert_right(model, tmp_path / "model.onnx", target)


def test_functions_under_the_long_name_of_the_domain_are_compiled_right(target, tmp_path):
    model = image_model("u = Relu(x)")
    text = """<ir_version: 10, opset_import: ["mine" : 1]> g (float[1] a) => (float[1] b) {
        b = mine.Block(a)
    }
    <domain: "mine", opset_import: ["" : 18]> Block (x) => (y) { t = Sigmoid(x) y = Mul(x, t) }"""
    model.functions.extend(onnx.parser.parse_model(text).functions)
    call = next(node for node in model.graph.node if node.output[0] == "u")
    call.op_type, call.domain = "Block", "mine"
    model.opset_import[0].domain = "ai.onnx"
    model.opset_import.add(domain="mine", version=1)
    assert_right(model, tmp_path / "model.onnx", target)


def test_outputs_that_are_weights_inputs_or_each_other_are_right(target, tmp_path):
    model = model_of(
        """g (float[1,3,8,8] image) => (float[1,4,6,6] y, float[2] priors, float[1,4,6,6] again,
                                       float[1,3,8,8] same) {
            y = Conv(image, w1) priors = Identity(p) again = Identity(y) same = Dropout(image)
        }""",
        w1=FILTERS["w1"], p=weights(2),
    )  # fmt: skip
    assert_right(model, tmp_path / "model.onnx", target)


def test_weights_whose_names_are_alike_are_kept_apart(target, tmp_path):
    model = image_model("u = Conv<pads = [1, 1, 1, 1]>(x, w3)", w3=weights(4, 4, 3, 3, seed=2))
    names = {"w1": "onnx::Conv_7", "w3": "Conv_7", "image": "serving/input:0", "b1": "1"}
    for value in (*model.graph.initializer, *model.graph.input):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    assert_right(model, tmp_path / "model.onnx", target)


def test_a_model_in_training_mode_is_refused_by_file_node_and_remedy(target, tmp_path):
    model = image_model(
        "[norm] u, a, b = BatchNormalization<training_mode = 1>(x, g, g, g, v)",
        g=weights(4), v=weights(4, low=0.5),
    )  # fmt: skip
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"model\.onnx: BatchNormalization 'norm' .* eval\(\)"):
        prepare_model(path, target)


def test_batch_norm_and_attention_leave_no_kernel_that_depends_on_weights_alone(target, tmp_path):
    model = model_of(
        """g (float[1,4,8] x) => (float[1,4,8] y) {
            n = BatchNormalization(x, g, g, g, v)
            q0 = MatMul(n, wq) q = Mul(q0, c)
            k0 = MatMul(n, wk) k1 = Transpose<perm = [0, 2, 1]>(k0) k = Mul(k1, c)
            s = MatMul(q, k) p = Softmax(s)
            pair = Transpose<perm = [1, 0, 2]>(n) both = Unsqueeze(pair, zero)
            first = Gather(both, z) back = Transpose<perm = [1, 0, 2]>(first)
            a = MatMul(p, back) e = Pow(a, two) y = Div(e, c)
        }""",
        g=weights(4), v=weights(4, low=0.5), wq=weights(8, 8), wk=weights(8, 8, seed=1),
        c=np.array(1.7, np.float32), zero=np.array([0]), z=np.array(0),
        two=np.array(2, np.float32),
    )  # fmt: skip
    assert_right(model, tmp_path / "model.onnx", target)
    left = operators(clean_up(model)[0])
    assert not {"BatchNormalization", "Gather", "Pow", "Div"} & set(left)
    assert left.count("Mul") == 3  # the normalisation, the square, the last factor
