"""Shared fixtures: a small ONNX model, its kernels, and a bench, all real."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
MEASURE = {
    "warmup_runs": 1,
    "repeats": 3,
    "min_repeat_ms": 1,
    "run_timeout_s": 10.0,
    "build_timeout_s": 60.0,
    "early_stop_ratio": 5.0,
    "winner_repeats": 2,
    "cache_flush": False,
    "cold_weights": False,
    "build_workers": 2,
    "worker_max_uses": 500,
    "worker_memory_gib": 4,
}
SEARCH = {
    "seed": 1,
    "batch_size": 4,
    "population": 8,
    "generations": 1,
    "mutation_probability": 0.85,
    "random_share": 0.05,
    "cost_model": "xgb",
    "scheduler_alpha": 0.2,
    "scheduler_window": 3,
}


def write_onnx(
    path: Path,
    channels: int = 8,
    size: int = 8,
    seed: int = 0,
    last: str = "Identity",
    between: str = "Relu",
    bias: float = 0.0,
) -> Path:
    """Two convolutions with bias and activation, a pooling, a linear layer, a last operation."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        data = generator.uniform(-0.5, 0.5, shape).astype(np.float32)
        return numpy_helper.from_array(data, name)

    weights = [
        weight("w1", channels, 3, 3, 3), weight("b1", channels),
        weight("w2", channels, channels, 3, 3), weight("b2", channels),
        weight("w3", channels, 10), weight("b3", 10),
    ]  # fmt: skip
    weights[-1] = numpy_helper.from_array(
        numpy_helper.to_array(weights[-1]) + np.float32(bias), "b3"
    )
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c1"], **conv),
        helper.make_node(between, ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], **conv),
        helper.make_node(between, ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["g"]),
        helper.make_node(last, ["g"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def device():
    from rivulet.hardware import Device

    return Device("local", "auto", 1)


@pytest.fixture(scope="session")
def target(device):
    from rivulet.hardware.target import resolve_target

    return resolve_target(device)


@pytest.fixture(scope="session")
def small_onnx(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("models") / "small.onnx")


@pytest.fixture(scope="session")
def small_model(small_onnx, target):
    from rivulet.graph.prepare import prepare_model

    return prepare_model(small_onnx, target)


@pytest.fixture(scope="session")
def kernels(small_model, target):
    from rivulet.kernels.extract import extract_kernels

    return extract_kernels(small_model, target)


@pytest.fixture
def bench(target, tmp_path):
    from rivulet.measure.bench import Bench

    scratch = tmp_path / "bench"
    scratch.mkdir()
    with Bench(target, 1, MEASURE, scratch) as opened:
        yield opened


@pytest.fixture
def logger():
    return logging.getLogger("test")
