"""Models whose graphs work out sizes: imported, compiled and right."""

import numpy as np
import onnx
import pytest

from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.structure import CONTRACTION, REDUCING, kernel_structure
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.export import export_torchvision


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("shufflenet_v2_x0_5", {"conv2d_add_relu": CONTRACTION, "mean": REDUCING}),
        ("swin_t", {"batch_matmul": CONTRACTION, "softmax": REDUCING, "layer_norm": REDUCING}),
    ],
)
def test_a_model_that_works_out_sizes_compiles_and_is_right(name, kinds, target, tmp_path):
    path, shape = tmp_path / "model.onnx", [1, 3, 32, 32]
    export_torchvision(name, shape, "random", 0, path=path, say=lambda _: None)
    assert any(node.op_type == "Shape" for node in onnx.load(str(path)).graph.node)
    model = prepare_model(path, target)
    kernels = extract_kernels(model, target)
    for kind, family in kinds.items():
        found = [k for k in kernels if k.kind == kind]
        assert found
        assert {kernel_structure(k.module).family for k in found} == {family}
        assert all(k.flops > 0 for k in found)
    library = tmp_path / "model.so"
    compile_model(model, target, None, library)
    array = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    outputs = []
    for variant in (CompiledModel(library, model.params), OnnxRuntimeModel(path, 1)):
        variant.bind([array])
        variant.run()
        outputs.append([np.array(one) for one in variant.outputs()])
    assert largest_relative_error(*outputs) < 1e-3
