"""Benchmarks of whole models: right, wrong and broken variants."""

import numpy as np
import pytest

from conftest import write_onnx
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.pair import benchmark_variants
from rivulet.models.prepare import prepare_model

TIMING = TimingSettings(0, 1, 5, 1.0, 1.0, 10.0)
INPUTS = [{"name": "input", "shape": [1, 3, 8, 8], "dtype": "float32"}]


@pytest.fixture
def affinity():
    """The benchmark pins its thread; the tests after it should not inherit that."""
    import os

    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("affinity")
def test_a_wrong_variant_gets_an_error_and_no_samples(
    small_onnx, small_model, target, tmp_path, logger
):
    right, wrong, broken = (tmp_path / f"{name}.so" for name in ("right", "wrong", "broken"))
    compile_model(small_model, target, None, right)
    other = prepare_model(write_onnx(tmp_path / "other.onnx", last="Sigmoid"), target)
    compile_model(other, target, None, wrong)
    broken.write_bytes(b"not a library")
    libraries = {"untuned": right, "ansor": wrong, "transfer": broken}
    rounds = []
    result = benchmark_variants(
        small_onnx, libraries, INPUTS, target, 1, TIMING, 1e-3,
        lambda done, total: rounds.append((done, total)), logger,
    )  # fmt: skip
    assert set(result.samples) == {"untuned", "onnxruntime"}
    assert all(len(samples) == 5 for samples in result.samples.values())
    assert result.errors["untuned"] < 1e-4
    assert result.errors["ansor"] > 1e-2
    assert result.failures["ansor"].startswith("wrong output: relative error ")
    assert result.failures["transfer"].startswith("it does not run: ")
    assert rounds[-1] == (5, 5)


def test_a_compiled_model_runs_again_with_other_inputs(small_onnx, small_model, target, tmp_path):
    compile_model(small_model, target, None, tmp_path / "m.so")
    compiled = CompiledModel(tmp_path / "m.so", small_model.params)
    reference = OnnxRuntimeModel(small_onnx, 1)
    for seed in (1, 2):
        array = np.random.default_rng(seed).standard_normal((1, 3, 8, 8)).astype(np.float32)
        for model in (compiled, reference):
            model.bind([array])
            model.run()
        np.testing.assert_allclose(
            compiled.outputs()[0], reference.outputs()[0], rtol=1e-4, atol=1e-5
        )
