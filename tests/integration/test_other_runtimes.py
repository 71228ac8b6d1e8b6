"""Other runtimes as variants: right outputs, their own configuration, and what they lack."""

import os
from functools import partial

import numpy as np
import onnx
import pytest

from conftest import write_onnx
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.openvino_model import OpenVinoModel
from rivulet.benchmark.pair import benchmark_variants
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.torch_model import INDUCTOR, TorchModel
from rivulet.hardware import Device

SHAPE = [1, 3, 8, 8]


@pytest.fixture
def affinity():
    """Runtimes pin threads; the tests after it should not inherit that."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def two_inputs(path):
    """A model of two inputs, one of them whole numbers, with two outputs."""
    make = onnx.helper
    table = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    graph = make.make_graph(
        [
            make.make_node("Gather", ["table", "ids"], ["rows"]),
            make.make_node("Add", ["rows", "shift"], ["sum"]),
            make.make_node("Neg", ["sum"], ["negative"]),
        ],
        "two",
        [
            make.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1, 5]),
            make.make_tensor_value_info("shift", onnx.TensorProto.FLOAT, [4]),
        ],
        [
            make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 5, 4])
            for name in ("sum", "negative")
        ],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)]), path)
    return path


@pytest.mark.usefixtures("affinity")
def test_openvino_computes_in_float32_with_the_threads_that_it_is_given(tmp_path):
    path = write_onnx(tmp_path / "small.onnx")
    ours, reference = OpenVinoModel(path, 1), OnnxRuntimeModel(path, 1)
    for seed in (1, 2):
        array = np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)
        for model in (ours, reference):
            model.bind([array])
            model.run()
        np.testing.assert_allclose(ours.outputs()[0], reference.outputs()[0], rtol=1e-5, atol=1e-6)
    told = ours.configuration
    assert told["INFERENCE_PRECISION_HINT"] == "f32"
    assert told["INFERENCE_NUM_THREADS"] == "1"
    assert told["PERFORMANCE_HINT"] == "LATENCY"
    assert told["NUM_STREAMS"] == "1"


@pytest.mark.usefixtures("affinity")
def test_openvino_takes_whole_numbers_and_gives_several_outputs(tmp_path):
    path = two_inputs(tmp_path / "two.onnx")
    ids, shift = np.array([[1, 0, 15, 3, 3]]), np.arange(8, dtype=np.float32)[::2]
    ours, reference = OpenVinoModel(path, 1), OnnxRuntimeModel(path, 1)
    for model in (ours, reference):
        model.bind([ids, shift])
        model.run()
    assert len(ours.outputs()) == 2
    for one, right in zip(ours.outputs(), reference.outputs(), strict=True):
        np.testing.assert_array_equal(one, right)


@pytest.mark.usefixtures("affinity")
def test_each_runtime_is_timed_and_says_how_it_is_configured(small_onnx, device, target, logger):
    inputs = [{"name": "input", "shape": SHAPE, "dtype": "float32"}]
    one = Subject(
        small_onnx, {}, inputs, device, TimingSettings(0, 1, 5, 1.0, 1.0, 10.0), 1e-3,
        ("onnxruntime", "openvino"), checks=2,
    )  # fmt: skip
    result = benchmark_variants(one, target, lambda _: None, lambda *_: None, logger=logger)
    assert result.failures == {}
    assert set(result.samples) == {"onnxruntime", "openvino"}
    assert 0 <= result.errors["openvino"] < 1e-4
    assert result.runtimes["openvino"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert result.runtimes["onnxruntime"]["intra_op_num_threads"] == str(device.threads)


def doubled(factor):
    """A module of PyTorch with two outputs."""
    import torch

    class Doubled(torch.nn.Module):
        def forward(self, given):
            return given * factor, given + factor

    return Doubled().eval()


@pytest.mark.usefixtures("affinity")
def test_pytorch_takes_any_module_and_gives_several_outputs():
    model = TorchModel(partial(doubled, 2.0), 1, compiled=False)
    model.bind([np.ones(3, np.float32)])
    model.run()
    np.testing.assert_array_equal(model.outputs(), [[2, 2, 2], [3, 3, 3]])
    assert model.configuration == {"num_threads": "1"}


def test_torch_compile_without_a_compiler_says_what_to_install(
    monkeypatch, small_onnx, target, logger
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    inputs = [{"name": "input", "shape": SHAPE, "dtype": "float32"}]
    one = Subject(
        small_onnx, {}, inputs, Device("local", "auto", 1),
        TimingSettings(0, 1, 5, 1.0, 1.0, 10.0), 1e-3, ("torch-compile",),
        module=partial(doubled, 2.0),
    )  # fmt: skip
    result = benchmark_variants(one, target, lambda _: None, lambda *_: None, logger=logger)
    assert result.failures == {
        "torch-compile": "it does not run: torch.compile needs a C++ compiler, and there is no "
        "'no-such-compiler'; install it with 'apt install g++', or leave torch-compile out of "
        "benchmark.baselines"
    }


def test_torch_compile_knows_the_options_that_it_gets():
    import torch._inductor.config as inductor

    with inductor.patch(**INDUCTOR):
        assert inductor.freezing
        assert inductor.cpp_wrapper
