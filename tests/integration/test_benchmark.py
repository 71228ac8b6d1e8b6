"""Benchmarks of whole models: right, wrong and broken variants, other runtimes, new processes."""

import os
import signal
import subprocess

import numpy as np
import pytest

from conftest import MEASURE, write_onnx
from rivulet.benchmark.blame import find_wrong_kernels
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.benchmark.pair import benchmark_variants, packed_weights, seeded
from rivulet.benchmark.repeat import repeat_benchmark, without_failures
from rivulet.benchmark.subject import Subject
from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.hardware import Device
from rivulet.hardware.place import HERE
from rivulet.measure.bench import Bench
from rivulet.measure.roofline import measure_roofline
from rivulet.models.export import export_torchvision
from rivulet.records import TuningLog
from tuning_runs import run_search

TIMING = TimingSettings(0, 1, 5, 1.0, 1.0, 10.0)
INPUTS = [{"name": "input", "shape": [1, 3, 8, 8], "dtype": "float32"}]
SAMPLING = Sampling(0.95, 200, 0)


@pytest.fixture
def affinity():
    """The benchmark pins threads; the tests after it should not inherit that."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def variants(small_onnx, small_model, target, tmp_path):
    """A right, a wrong and a broken library."""
    right, wrong, broken = (tmp_path / f"{name}.so" for name in ("right", "wrong", "broken"))
    compile_model(small_model, target, None, right)
    other = prepare_model(write_onnx(tmp_path / "other.onnx", last="Sigmoid"), target)
    compile_model(other, target, None, wrong)
    broken.write_bytes(b"not a library")
    return {"untuned": right, "ansor": wrong, "transfer": broken}


def subject(onnx, libraries, device, **changes):
    return Subject(onnx, libraries, INPUTS, device, TIMING, 1e-3, **changes)


@pytest.mark.usefixtures("affinity")
def test_a_wrong_variant_gets_an_error_and_no_samples(
    small_onnx, variants, target, device, logger, tmp_path
):
    rounds, begun = [], []
    result = benchmark_variants(
        subject(small_onnx, variants, device, checks=2, weights=tmp_path / "weights.npz"),
        target, begun.append, lambda done, total: rounds.append((done, total)), logger=logger,
    )  # fmt: skip
    assert sorted(begun[:4]) == ["ansor", "onnxruntime", "transfer", "untuned"]
    # Whoever ends the process when it is bound, warmed up or timed first is known, too.
    assert sorted(begun[4:6]) == ["onnxruntime", "untuned"]
    assert begun[6] == ""
    assert sorted(begun[7:]) == ["onnxruntime"] * 2 + ["untuned"] * 2
    assert set(result.samples) == {"untuned", "onnxruntime"}
    assert all(len(samples) == 5 for samples in result.samples.values())
    assert result.errors["untuned"] < 1e-4
    assert result.errors["onnxruntime"] == 0
    assert result.errors["ansor"] > 1e-2
    assert result.failures["ansor"].startswith("wrong output: relative error ")
    assert result.failures["transfer"].startswith("it does not run: ")
    assert rounds[-1] == (5, 5)
    assert set(result.functions) == {"untuned"}
    assert any(name.startswith("fused_conv2d") for name in result.functions["untuned"])
    assert result.conduct.seconds > 0


@pytest.mark.usefixtures("affinity")
def test_each_process_loads_its_variants_in_an_order_of_its_own(
    small_onnx, variants, target, device, logger, tmp_path
):
    copies = {f"copy{n}": variants["untuned"] for n in range(4)}
    orders = []
    for number in range(4):
        begun = []
        one = subject(small_onnx, copies, device, weights=tmp_path / "weights.npz")
        benchmark_variants(
            seeded(one, number), target, begun.append, lambda *_: None, logger=logger
        )
        orders.append(tuple(begun[:5]))
    assert {tuple(sorted(order)) for order in orders} == {(*sorted(copies), "onnxruntime")}
    assert len(set(orders)) > 2


def test_weights_are_worked_out_once(small_onnx, small_model, device, target, tmp_path):
    one = subject(small_onnx, {}, device, weights=tmp_path / "weights.npz")
    first = packed_weights(one, target)
    kept = (tmp_path / "weights.npz").stat().st_mtime_ns
    for ours, theirs, again in zip(
        first, small_model.params, packed_weights(one, target), strict=True
    ):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        np.testing.assert_array_equal(ours.numpy(), again.numpy())
    assert (tmp_path / "weights.npz").stat().st_mtime_ns == kept


def test_processes_are_run_until_intervals_are_narrow_or_no_more_are_allowed(
    small_onnx, variants, device, tmp_path
):
    one = subject(
        small_onnx, {"untuned": variants["untuned"]}, device, weights=tmp_path / "weights.npz"
    )
    told = []
    easy = repeat_benchmark(one, Stopping(2, 4, 1e6, SAMPLING), lambda *seen: told.append(seen))
    assert len(easy.results) == 2
    assert [len(group) for group in easy.groups("untuned")] == [5, 5]
    assert easy.errors["untuned"] < 1e-4
    assert told[0][:2] == (1, 20)
    assert told[-1][:2] == (10, 10)
    assert "process 2, widest interval so far" in told[-1][2]
    hard = repeat_benchmark(one, Stopping(2, 3, 1e-9, SAMPLING), lambda *_: None)
    assert len(hard.results) == 3


def test_a_variant_that_ends_its_process_is_named_and_left_out(
    small_onnx, variants, device, tmp_path
):
    source = tmp_path / "crash.c"
    source.write_text(
        "#include <stdlib.h>\n__attribute__((constructor)) static void end(void) { abort(); }\n"
    )
    crash = tmp_path / "crash.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", crash, source], check=True)
    libraries = {"untuned": variants["untuned"], "droplet": crash}
    one = subject(small_onnx, libraries, device, weights=tmp_path / "weights.npz")
    found = repeat_benchmark(one, Stopping(1, 1, 1.0, SAMPLING), lambda *_: None)
    assert found.failures == {"droplet": f"it ends its process (exit status {-signal.SIGABRT})"}
    assert len(found.groups("untuned")) == 1
    assert found.groups("droplet") == []
    with pytest.raises(UserError, match="droplet: it ends its process"):
        without_failures(found)


@pytest.mark.usefixtures("affinity")
def test_pytorch_is_timed_on_the_exported_model(target, tmp_path, logger):
    definition = {
        "torchvision": "squeezenet1_1", "shape": [1, 3, 32, 32], "weights": "random", "seed": 3,
    }  # fmt: skip
    onnx = tmp_path / "model.onnx"
    export_torchvision("squeezenet1_1", [1, 3, 32, 32], "random", 3, path=onnx, say=lambda _: None)
    inputs = [{"name": "input", "shape": [1, 3, 32, 32], "dtype": "float32"}]
    one = Subject(
        onnx, {}, inputs, Device("local", "auto", 1), TIMING, 1e-3, ("onnxruntime", "torch"),
        definition,
    )  # fmt: skip
    result = benchmark_variants(one, target, lambda _: None, lambda *_: None, logger=logger)
    assert result.failures == {}
    assert set(result.samples) == {"onnxruntime", "torch"}
    assert 0 < result.errors["torch"] < 1e-4


@pytest.mark.usefixtures("affinity")
def test_pytorch_does_not_know_a_users_own_model(small_onnx, device, target, logger):
    one = subject(small_onnx, {}, device, baselines=("torch",), definition={"onnx": "x"})
    result = benchmark_variants(one, target, lambda _: None, lambda *_: None, logger=logger)
    assert result.failures == {"torch": "it does not run: it is no model of torchvision"}


def test_a_wrong_kernel_is_named(kernels, target, tmp_path, logger):
    folder = tmp_path / "log"
    log = TuningLog(folder, logger)
    (tmp_path / "bench").mkdir()
    with Bench(target, 1, MEASURE, tmp_path / "bench") as bench:
        run_search(kernels, target, 12, log, bench)
    right = find_wrong_kernels(
        folder, HERE, 1e-3, 0, scratch=tmp_path / "bench", report=lambda *_: None
    )
    assert right.wrong == {}
    assert right.text == f"each of its {right.replayed} kernels is right when it runs alone"
    seen = find_wrong_kernels(
        folder, HERE, 1e-30, 0, scratch=tmp_path / "bench", report=lambda *_: None
    )
    assert seen.wrong
    assert all("its output differs" in why for why in seen.wrong.values())
    assert set(seen.wrong) <= {kernel.task for kernel in kernels}


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


def test_the_roofs_lie_where_a_cpu_has_them(target):
    told = []
    rows = measure_roofline(target, 1, 3, lambda number, text: told.append((number, text)))
    compute, bandwidth = rows
    assert (compute.roof, compute.unit, compute.threads) == ("compute", "GFLOP/s", 1)
    # One core: 4 to 128 operations a cycle at 1 to 6 GHz, and memory at 0.5 to 500 GB/s.
    assert 2 < compute.median <= compute.peak < 800
    assert 0.5 < bandwidth.median <= bandwidth.peak < 500
    assert [number for number, _ in told] == [1, 2]
