"""Between two convolutions nothing is transposed, whatever is there; and numbers stay right."""

import numpy as np
import onnx
import onnxruntime
import pytest

from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.tvm_compat import load_tvm

HEAD = '<ir_version: 9, opset_import: ["" : 18]> m (float[1,4,8,6] x) => (float[{shape}] y) {{'
BETWEEN = {
    "clip": "b = Clip(a, zero, six)",
    "hard swish": "b = HardSwish(a)",
    "hard sigmoid": "b = HardSigmoid<alpha=0.16666667>(a)",
    "silu": "s = Sigmoid(a) b = Mul(a, s)",
    "gelu by erf": "q = Div(a, root) e = Erf(q) o = Add(e, one) m = Mul(a, o) b = Mul(m, half)",
    "gelu by tanh": "p = Mul(a, a) c = Mul(p, a) d = Mul(c, half) e = Add(a, d) t = Tanh(e) "
    "o = Add(t, one) m = Mul(a, o) b = Mul(m, half)",
    "leaky relu": "b = LeakyRelu<alpha=0.1>(a)",
    "parametric relu": "b = PRelu(a, slopes)",
    "a scale for each channel": "b = Mul(a, slopes)",
    "batch normalisation alone": "r = Relu(a) b = BatchNormalization(r, g, h, h, g)",
    "max pooling, ceil": "b = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(a)",
    "average pooling": "b = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(a)",
    "average pooling, borders counted": "b = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], "
    "count_include_pad=1>(a)",
    "concatenation": "r = Relu(a) c = Concat<axis=1>(a, r) b = Conv<kernel_shape=[1,1]>(c, w2)",
    "split": "p, q = Split<axis=1, num_outputs=2>(a) b = Concat<axis=1>(q, p)",
    "slice": "b = Slice(a, i0, i2, i2)",
    "pad": "b = Pad(a, pads)",
    "reflected pad": 'b = Pad<mode="reflect">(a, pads)',
    "nearest resize": 'b = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", '
    'nearest_mode="floor">(a, , scales)',
    "linear resize": 'b = Resize<mode="linear">(a, , scales)',
    "squeeze and excite": "m = ReduceMean<keepdims=1>(a, hw) e = Conv<kernel_shape=[1,1]>(m, w1) "
    "s = Sigmoid(e) b = Mul(a, s)",
    "instance normalisation": "b = InstanceNormalization(a, g, h)",
    "softmax over channels": "b = Softmax<axis=1>(a)",
    "two dimensions swapped twice": "t = Transpose<perm=[0,2,3,1]>(a) n = "
    "LayerNormalization<axis=-1>(t, g, h) b = Transpose<perm=[0,3,1,2]>(n)",
    "groups of channels": "r = Reshape(a, grouped) u = Relu(r) b = Reshape(u, whole)",
}
CONSTANTS = """
    zero = Constant<value = float {0.0}>() six = Constant<value = float {6.0}>()
    root = Constant<value = float {1.4142135}>() one = Constant<value = float {1.0}>()
    half = Constant<value = float {0.5}>()
    slopes = Constant<value = float[4,1,1] {0.1, 0.2, 0.3, 0.4}>()
    g = Constant<value = float[4] {0.5, 1.0, 1.5, 2.0}>()
    h = Constant<value = float[4] {0.4, 0.3, 0.2, 0.1}>()
    i0 = Constant<value = int64[1] {1}>() i2 = Constant<value = int64[1] {3}>()
    hw = Constant<value = int64[2] {2, 3}>()
    pads = Constant<value = int64[8] {0, 0, 1, 2, 0, 0, 2, 1}>()
    scales = Constant<value = float[4] {1.0, 1.0, 2.0, 2.0}>()
    grouped = Constant<value = int64[5] {1, 2, 2, 8, 6}>()
    whole = Constant<value = int64[4] {1, 4, 8, 6}>()
"""


def model_of(body, shape):
    """A graph between a convolution over an input and its output, which another one makes."""
    text = HEAD.format(shape=shape) + CONSTANTS
    text += f"a = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w0) {body} "
    text += "y = Conv<kernel_shape=[1,1]>(b, w3) }"
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name, sizes in (
        ("w0", (4, 4, 3, 3)), ("w1", (4, 4, 1, 1)), ("w2", (4, 8, 1, 1)), ("w3", (5, 4, 1, 1)),
    ):  # fmt: skip
        array = generator.uniform(-1, 1, sizes).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


def run(path, target):
    """The prepared model's output and ONNX Runtime's, and what the preparation left."""
    tvm = load_tvm()
    from tvm import relax

    prepared = prepare_model(path, target)
    with target, tvm.transform.PassContext(opt_level=3):
        machine = relax.VirtualMachine(tvm.compile(prepared.module, target), tvm.cpu())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(1)
    inputs = {
        value.name: generator.standard_normal(value.shape).astype(np.float32)
        for value in session.get_inputs()
    }
    tensors = [tvm.runtime.tensor(array) for array in inputs.values()]
    ours = machine["main"](*tensors, *prepared.params)
    ours = [ours] if hasattr(ours, "numpy") else list(ours)
    return [o.numpy() for o in ours], session.run(None, inputs), inspect_module(prepared.module)


def assert_right(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


@pytest.mark.parametrize("name", BETWEEN)
def test_what_lies_between_convolutions_takes_data_as_it_lies(name, tmp_path, target):
    path = tmp_path / "m.onnx"
    onnx.save(model_of(BETWEEN[name], "1,5,H,W"), path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    # The one of the output, which the model wants channels first.
    assert [one.split(":")[0] for one in left.transposes] == ["output"]
    assert left.weight_only == []


def test_channels_shuffled_are_moved_once_and_stay_last(tmp_path, target):
    body = "r = Reshape(a, grouped) t = Transpose<perm=[0,2,1,3,4]>(r) b = Reshape(t, whole)"
    path = tmp_path / "m.onnx"
    onnx.save(model_of(body, "1,5,8,6"), path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    assert [one.split(":")[0] for one in left.transposes] == ["written", "output"]


def test_a_linear_layer_behind_flattened_pixels_gets_its_rows_moved_instead(tmp_path, target):
    text = HEAD.format(shape="1,3") + (
        "a = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w0) f = Flatten(a) y = Gemm(f, w4, h) }"
    )
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name, sizes in (("w0", (4, 4, 3, 3)), ("w4", (192, 3)), ("h", (3,))):
        array = generator.uniform(-1, 1, sizes).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    assert left.transposes == []


def test_attention_reads_queries_and_values_where_they_lie(tmp_path, target):
    text = """<ir_version: 9, opset_import: ["" : 18]> m (float[1,6,8] x) => (float[1,6,8] y) {
        heads = Constant<value = int64[4] {1, 6, 2, 4}>()
        flat = Constant<value = int64[3] {1, 6, 8}>()
        q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv)
        q1 = Reshape(q, heads) k1 = Reshape(k, heads) v1 = Reshape(v, heads)
        q2 = Transpose<perm=[0,2,1,3]>(q1) k2 = Transpose<perm=[0,2,3,1]>(k1)
        v2 = Transpose<perm=[0,2,1,3]>(v1)
        s = MatMul(q2, k2) p = Softmax<axis=-1>(s) o = MatMul(p, v2)
        o1 = Transpose<perm=[0,2,1,3]>(o) o2 = Reshape(o1, flat) y = MatMul(o2, wo)
    }"""
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name in ("wq", "wk", "wv", "wo"):
        array = generator.uniform(-1, 1, (8, 8)).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    # The keys alone: a vector holds neighbouring keys.
    assert [one.split(":")[0] for one in left.transposes] == ["written"]


def test_what_is_moved_to_meet_an_authors_transpose_counts_as_the_authors(tmp_path, target):
    text = (
        '<ir_version: 9, opset_import: ["" : 18]> m (float[1,9,3,16] u, float[1,3,9,16] v) => '
        "(float[1,3,9,16] y) { n = Softmax<axis=-1>(u) t = Transpose<perm=[0,2,1,3]>(n) "
        "p = MatMul(v, w) s = Add(t, p) y = LayerNormalization<axis=-1>(s, g, g) }"
    )
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(0)
    for name, sizes in (("w", (16, 16)), ("g", (16,))):
        array = generator.uniform(-1, 1, sizes).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    assert left.transposes_inside == []
    assert {one.split(":")[0] for one in left.transposes} <= {"written", "output"}
    assert any(one.startswith("written") for one in left.transposes)


def test_a_model_without_space_is_left_as_it_is(tmp_path, target):
    text = """<ir_version: 9, opset_import: ["" : 18]>
        m (float[2,3] x) => (float[3,2] y, float[2,3] z)
        { y = Transpose<perm=[1,0]>(x) z = Relu(x) }"""
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    assert [one.split(":")[0] for one in left.transposes] == ["input"]


@pytest.mark.parametrize(
    ("shapes", "body"),
    [
        # An image that comes channels last, as from other frameworks.
        (("1,8,6,4", "1,4,8,6"), "t = Transpose<perm=[0,3,1,2]>(x) y = Conv<kernel_shape=[3,3], "
         "pads=[1,1,1,1]>(t, w0)"),
        # A tensor and its transpose lie in the same memory, and are not the same.
        (("5,5", "5,5"), "t = Transpose<perm=[1,0]>(x) y = Add(x, t)"),
        (("5,5", "5,5"), "t = Transpose<perm=[1,0]>(x) s = Sub(x, t) y = Mul(s, x)"),
        (("2,5,1", "2,5,5"), "t = Transpose<perm=[0,2,1]>(x) y = Sub(x, t)"),
        # Two transposes of one tensor, each wanted as it is.
        (("1,4,5,5", "20,10"), "a = Transpose<perm=[0,2,3,1]>(x) b = Transpose<perm=[0,3,2,1]>(x) "
         "r = Reshape(a, rows) q = Reshape(b, rows) y = Concat<axis=1>(r, q)"),
    ],
)  # fmt: skip
def test_what_lies_in_one_memory_is_not_mistaken_for_the_same(shapes, body, tmp_path, target):
    text = (
        f'<ir_version: 9, opset_import: ["" : 18]> m (float[{shapes[0]}] x) => '
        f"(float[{shapes[1]}] y) {{ rows = Constant<value = int64[2] {{20, 5}}>() {body} }}"
    )
    model = onnx.parser.parse_model(text)
    weight = np.random.default_rng(0).uniform(-1, 1, (4, 4, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w0"))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    ours, theirs, left = run(path, target)
    assert_right(ours, theirs)
    assert left.transposes_inside == []
