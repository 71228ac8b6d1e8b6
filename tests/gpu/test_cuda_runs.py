"""Search, droplet, transfer and whole models on a real GPU."""

import logging
import math
import random

import numpy as np
import pytest

from conftest import MEASURE
from pooled_model import write_model
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.interleave import TimingSettings, time_interleaved
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.droplet import DropletSettings, read_source
from rivulet.droplet.settle import settle_all
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.gpu_roofline import gpu_bandwidth, gpu_operations
from rivulet.measure.protocol import Comparison
from rivulet.records import TuningLog
from rivulet.schedules.design_space import open_design_space
from rivulet.transfer import TransferSettings, load_source
from rivulet.tvm_compat.traces import ReplayFailure
from tuning_runs import run_droplet, run_search, run_transfer

LOGGER = logging.getLogger("test")
TRIALS = 48
TRANSFER = TransferSettings(
    seed=1, candidates_per_kernel=3, most_per_kernel=6, considered_per_kernel=12,
    records_per_source_kernel=2, seconds=0, significance=0.05, confirm_repeats=4, tolerance=1e-3,
)  # fmt: skip


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gpu")


@pytest.fixture(scope="module")
def model(target, folder):
    return prepare_model(write_model(folder / "small.onnx", 32, 32), target)


@pytest.fixture(scope="module")
def kernels(model, target):
    return extract_kernels(model, target)


@pytest.fixture(scope="module")
def bench(device, target, folder):
    scratch = folder / "bench"
    scratch.mkdir()
    with Bench(target, 1, MEASURE, scratch, location=device.location) as opened:
        yield opened


@pytest.fixture(scope="module")
def searched(kernels, target, folder, bench):
    log = TuningLog(folder / "log")
    run_search(kernels, target, TRIALS, log, bench)
    return folder / "log"


def sampled(kernel, target, count):
    _, space = open_design_space(kernel.module, target, None, 1, seed=1)
    rng, found = random.Random(1), []
    while len(found) < count:
        try:
            found.append(space.schedule(space.sample(rng), 1 + len(found)).mod)
        except ReplayFailure:
            continue
    return found


def outputs_of(variant, arrays):
    variant.bind(arrays)
    variant.run()
    return variant.outputs()


def test_sampled_schedules_compute_what_the_default_does(kernels, target, bench):
    for kernel in kernels:
        modules = sampled(kernel, target, 3)
        for seen in bench.compare(modules, [kernel.module] * len(modules), 1):
            assert isinstance(seen, Comparison), (kernel.task, seen)
            assert seen.error < 1e-4, kernel.task


def test_a_search_covers_every_kernel(searched, kernels):
    log = TuningLog(searched)
    assert len(log.trials) == TRIALS
    failed = [trial.error for trial in log.trials if trial.error]
    assert len(failed) < TRIALS / 4, failed
    for kernel in kernels:
        (record,) = log.best_records(kernel, 1)
        assert 1e-7 < float(record.run_secs[0]) < 0.1


def test_a_kernel_that_faults_takes_nobody_with_it(kernels, target, bench):
    from tvm.script import tirx as T

    far = 2**40

    @T.prim_func(private=True)
    def broken(values: T.Buffer((32,), "float32")):
        for block in T.thread_binding(1, thread="blockIdx.x"):
            for thread in T.thread_binding(32, thread="threadIdx.x"):
                values[T.int64(far) * (block + 1) + thread] = T.float32(1)

    import tvm

    bad = tvm.IRModule({"main": broken.with_attr("global_symbol", "main")})
    good = sampled(kernels[1], target, 2)
    first, failed, last = bench.measure([good[0], bad, good[1]])
    assert first.samples
    assert last.samples
    assert failed.error.startswith("run ")


def test_droplet_descends_and_settles(searched, kernels, target, folder, bench):
    source = read_source(searched, kernels, folder, True, logger=LOGGER)
    settings = DropletSettings(1, 24, 0.05, 6, 8, 1, 1e-3)
    log = TuningLog(folder / "walk")
    descents = run_droplet(kernels, target, settings, source, log, bench)
    settled = settle_all(descents, settings, bench, quiet, logger=LOGGER)
    assert len(settled) == len(kernels)
    assert sum(trial.strategy == "droplet" for trial in log.trials) <= 24
    for one in settled:
        assert one.descent.latency <= one.descent.log_latency or one.winner is None


def test_transferred_schedules_run_and_are_right(searched, kernels, target, folder, bench):
    model = prepare_model(write_model(folder / "wide.onnx", 48, 40), target)
    wide = extract_kernels(model, target)
    source = load_source("small", searched, kernels, folder, best=4, logger=LOGGER)
    chosen = TuningLog(folder / "chosen", LOGGER)
    result = run_transfer(
        wide,
        [source],
        target,
        TRANSFER,
        (TuningLog(folder / "measured", LOGGER), chosen),
        bench,
        folder,
        space="stock",
    )
    ran = {row.kernel for row in result.rows if row.valid == "yes" and row.kind != "default"}
    assert ran == {kernel.task for kernel in wide}
    assert result.replace_wrong(TRANSFER, bench, LOGGER) == []


def test_whole_models_are_right_and_timed(searched, model, target, place, folder):
    arrays = [np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)]
    expected = outputs_of(OnnxRuntimeModel(folder / "small.onnx", 1), arrays)
    variants = {}
    for name, log in (("untuned", None), ("ansor", TuningLog(searched))):
        compile_model(model, target, log, folder / f"{name}.so")
        variants[name] = CompiledModel(folder / f"{name}.so", model.params, place)
        (found,) = outputs_of(variants[name], arrays)
        np.testing.assert_allclose(found, expected[0], rtol=1e-3, atol=1e-3)
    times = variants["ansor"].function_times()
    assert times
    assert all(0 < spent < 1e5 for spent in times.values())
    settings = TimingSettings(1, 2, 5, 5.0, 1.0, 10.0)
    samples = time_interleaved(variants, settings, quiet)
    for many in samples.values():
        assert len(many) == 5
        assert all(1e-3 < one < 1e3 for one in many)


def test_the_roofs_are_above_every_kernel(target, place, folder, kernels, searched):
    operations = max(gpu_operations(target, 5, place))
    bandwidth = max(gpu_bandwidth(target, 5, place))
    assert 1e11 < operations < 1e15
    assert 1e10 < bandwidth < 1e14
    for kernel in kernels:
        (record,) = TuningLog(searched).best_records(kernel, 1)
        assert math.isfinite(kernel.flops)
        assert kernel.flops / float(record.run_secs[0]) < operations
