"""What preparation does behind the import: weights computed once, loops of our own, a summary."""

import numpy as np
import onnx
import onnxruntime
import pytest

from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.tvm_compat import load_tvm


def saved(path, text, **weights):
    model = onnx.parser.parse_model(text)
    for name, array in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, path)
    return path


def outputs(path, prepared, target, x):
    tvm = load_tvm()
    from tvm import relax

    with target, tvm.transform.PassContext(opt_level=3):
        machine = relax.VirtualMachine(tvm.compile(prepared.module, target), tvm.cpu())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ours = machine["main"](tvm.runtime.tensor(x), *prepared.params).numpy()
    return ours, session.run(None, {"x": x})[0]


def test_what_a_large_weight_goes_through_is_computed_once(tmp_path, target):
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((2048, 1100)).astype(np.float32)  # too large for the file
    path = saved(
        tmp_path / "m.onnx",
        '<ir_version: 9, opset_import: ["" : 18]> m (float[3,2048] x) => (float[3,1100] y)'
        "{ t = Tanh(w) y = MatMul(x, t) }",
        w=weight,
    )
    prepared = prepare_model(path, target)
    assert inspect_module(prepared.module).weight_only == []
    assert [k.kind for k in extract_kernels(prepared, target)] == ["matmul"]
    x = generator.standard_normal((3, 2048)).astype(np.float32)
    ours, theirs = outputs(path, prepared, target, x)
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("size", [(9, 5), (2, 3)])
def test_the_mean_of_pixels_is_right_in_two_sums_and_in_one(keep, size, tmp_path, target):
    shape = "1,4,1,1" if keep else "1,4"
    path = saved(
        tmp_path / "m.onnx",
        f'<ir_version: 9, opset_import: ["" : 18]> m (float[1,4,{size[0]},{size[1]}] x) => '
        f"(float[{shape}] y) {{ hw = Constant<value = int64[2] {{2, 3}}>() "
        f"a = Conv<kernel_shape=[1,1]>(x, w) y = ReduceMean<keepdims={keep}>(a, hw) }}",
        w=np.random.default_rng(1).standard_normal((4, 4, 1, 1)).astype(np.float32),
    )
    prepared = prepare_model(path, target)
    x = np.random.default_rng(2).standard_normal((1, 4, *size)).astype(np.float32)
    ours, theirs = outputs(path, prepared, target, x)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_a_reshape_is_no_kernel(tmp_path, target):
    path = saved(
        tmp_path / "m.onnx",
        '<ir_version: 9, opset_import: ["" : 18]> m (float[2,6] x) => (float[12] y)'
        "{ s = Constant<value = int64[1] {12}>() r = MatMul(x, w) t = Reshape(r, s) "
        "y = Softmax<axis=0>(t) }",
        w=np.eye(6, dtype=np.float32),
    )
    kinds = [k.kind for k in extract_kernels(prepare_model(path, target), target)]
    assert kinds == ["matmul", "softmax"]
