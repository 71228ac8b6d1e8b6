"""Convolutions of other forms than images' are searched, and right with the schedules found."""

import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import MEASURE
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.graph.inspect import inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.kernels import load_kernels, save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.structure import CONTRACTION, kernel_structure
from rivulet.measure.bench import Bench
from rivulet.measure.outputs import largest_relative_error
from rivulet.records import TuningLog
from tuning_runs import run_search

LOGGER = logging.getLogger("test")
TRIALS = 3  # of each kernel
# Operator, shapes of input and weights, attributes.
FORMS = {
    "1d": ("Conv", [1, 8, 64], [16, 8, 5], {"pads": [2, 2]}),
    "1d, depthwise": ("Conv", [1, 16, 64], [16, 1, 5], {"pads": [2, 2], "group": 16}),
    "3d": ("Conv", [1, 4, 6, 8, 8], [8, 4, 3, 3, 3], {"strides": [1, 2, 2]}),
    "transposed 1d, grouped": ("ConvTranspose", [1, 16, 32], [16, 4, 4],
                               {"group": 2, "strides": [2]}),
    "transposed 1d, depthwise": ("ConvTranspose", [1, 16, 32], [16, 1, 4],
                                 {"group": 16, "strides": [2]}),
    "transposed 2d, grouped": ("ConvTranspose", [1, 16, 9, 7], [16, 4, 4, 4],
                               {"group": 2, "strides": [2, 2]}),
    "transposed 2d, depthwise": ("ConvTranspose", [1, 16, 9, 7], [16, 1, 3, 3],
                                 {"group": 16, "strides": [2, 2]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(target, tmp_path_factory):
    """One for all forms: most of what they take is the start of its processes."""
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as opened:
        yield opened


@pytest.mark.parametrize("form", FORMS)
def test_a_convolution_of_this_form_is_searched_and_right(form, target, bench, tmp_path):
    path = write_convolution(tmp_path / "model.onnx", *FORMS[form])
    model = prepare_model(path, target)
    left = inspect_module(model.module)
    assert left.weight_only == left.transposes_inside == []
    save_kernels(extract_kernels(model, target), tmp_path / "k.csv", tmp_path / "k.json.gz")
    kernels = load_kernels(tmp_path / "k.json.gz")
    assert CONTRACTION in {kernel_structure(kernel.module).family for kernel in kernels}
    log = TuningLog(tmp_path / "log", LOGGER)
    trials = TRIALS * len(kernels)
    assert run_search(kernels, target, trials, log, bench) == []
    assert [trial.error for trial in log.trials if trial.error] == []
    assert all(log.best_records(kernel, 1) for kernel in kernels)
    compile_model(model, target, log, tmp_path / "model.so")
    values = np.random.default_rng(1).standard_normal(FORMS[form][1]).astype(np.float32)
    outputs = []
    for variant in (
        CompiledModel(tmp_path / "model.so", model.params),
        OnnxRuntimeModel(path, 1),
    ):
        variant.bind([values])
        variant.run()
        outputs.append([np.array(one) for one in variant.outputs()])
    assert largest_relative_error(*outputs) < 1e-5


def write_convolution(path, operator, shape, weights, attributes):
    """A convolution with bias, and a ReLU behind it."""
    generator = np.random.default_rng(0)
    groups = attributes.get("group", 1)
    channels = weights[0] if operator == "Conv" else weights[1] * groups
    stored = [
        numpy_helper.from_array(generator.uniform(-1, 1, extents).astype(np.float32), name)
        for name, extents in (("w", weights), ("b", [channels]))
    ]
    nodes = [
        helper.make_node(operator, ["input", "w", "b"], ["sum"], **attributes),
        helper.make_node("Relu", ["sum"], ["output"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    wanted = helper.make_empty_tensor_value_info("output")
    graph = helper.make_graph(nodes, "g", [given], [wanted], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(onnx.shape_inference.infer_shapes(model), str(path))
    return path


def quiet(*_):
    pass
