"""Kernels for a GPU on a machine without one: spaces, moves, transfer, code, on real TVM."""

import json
import logging
import math
import random
import re
import shutil

import numpy as np
import pytest

from pooled_model import write_model
from rivulet.benchmark.compile import compile_model
from rivulet.droplet import DropletSettings, read_source
from rivulet.graph.prepare import prepare_model
from rivulet.hardware import Device
from rivulet.hardware.place import HERE
from rivulet.hardware.target import resolve_target
from rivulet.kernels import load_kernels, save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.replay import ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.measure.worker import Kernels
from rivulet.records import TuningLog
from rivulet.schedules.axes import TileAxis
from rivulet.schedules.design_space import open_design_space
from rivulet.schedules.kernel_space import KernelSpace
from rivulet.transfer import TransferSettings, load_source
from rivulet.tuning.cost_model import BoostedTrees
from rivulet.tuning.features import describe_schedules
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.gpu_defaults import with_default_threads
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import (
    THREAD_LEVEL,
    Postprocessing,
    ReplayFailure,
    decisions,
    replay,
    tiled_blocks,
    with_values,
)
from tuning_runs import run_droplet, run_search, run_transfer

LOGGER = logging.getLogger("test")
DEVICE = Device("gpu", json.dumps({"kind": "cuda", "arch": "sm_80"}), 1)
MOST_THREADS = 1024


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def target():
    return resolve_target(DEVICE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cuda")


@pytest.fixture(scope="module")
def model(target, folder):
    return prepare_model(write_model(folder / "small.onnx", 16, 16), target)


@pytest.fixture(scope="module")
def kernels(model, target):
    return extract_kernels(model, target)


@pytest.fixture(scope="module")
def wide(target, folder):
    prepared = prepare_model(write_model(folder / "wide.onnx", 24, 20), target)
    return extract_kernels(prepared, target)


@pytest.fixture(scope="module")
def convolution(kernels):
    return max(kernels, key=lambda kernel: kernel.flops)


def made_up(target):
    return ReplayBench(surrogate=LoopSurrogate(target, 1))


@pytest.fixture(scope="module")
def searched(kernels, target, folder):
    """A search on a made-up machine."""
    run_search(kernels, target, 36, TuningLog(folder / "log"), made_up(target))
    return folder / "log"


def threads_of(module):
    """Threads per block of each of a scheduled module's kernels."""
    import tvm_ffi
    from tvm import tirx

    found = {}

    def look(loop):
        if loop.kind == tirx.ForKind.THREAD_BINDING:
            tag = str(loop.thread_binding.thread_tag)
            found[tag] = max(found.get(tag, 1), int(loop.extent))

    for _, function in module.functions_items():
        tvm_ffi.structural_walk(function.body, [(tirx.For, look)], order="post")
    assert any(tag.startswith("blockIdx") for tag in found)
    return math.prod(n for tag, n in found.items() if tag.startswith("threadIdx"))


def source_of(module, target):
    """The CUDA code of a scheduled module."""
    from tvm.driver import build

    with target:
        (device_code,) = build(module, target=target).imports
    return str(device_code.inspect_source())


# --- Target, model, kernels ----------------------------------------------------------------------
def test_a_mapping_is_completed_and_has_this_machines_cpu_as_its_host(target):
    assert (str(target.kind.name), str(target.attrs["arch"])) == ("cuda", "sm_80")
    assert int(target.attrs["max_threads_per_block"]) == MOST_THREADS
    assert str(target.host.kind.name) == "llvm"
    tagged = {"kind": "cuda", "tag": "nvidia/nvidia-a100", "max_threads_per_block": 512}
    named = resolve_target(Device("gpu", json.dumps(tagged), 1))
    assert str(named.attrs["arch"]) == "sm_80"
    assert int(named.attrs["max_threads_per_block"]) == 512


def test_weights_are_packed_on_the_host_and_kernels_survive_their_file(model, kernels, tmp_path):
    assert all(param.device.dlpack_device_type() == 1 for param in model.params)
    kinds = {kernel.kind for kernel in kernels}
    assert {"conv2d_add_relu", "max_pool2d", "matmul_add", "mean"} <= kinds
    save_kernels(kernels, tmp_path / "kernels.csv", tmp_path / "workloads.json.gz")
    again = load_kernels(tmp_path / "workloads.json.gz")
    assert [k.workload for k in again] == [k.workload for k in kernels]


# --- The space -----------------------------------------------------------------------------------
def test_every_kernel_has_schedules_that_a_gpu_can_launch(kernels, target):
    rng = random.Random(1)
    for kernel in kernels:
        _, space = open_design_space(kernel.module, target, None, 1, seed=1)
        made, refused = [], []
        for seed in range(1, 25):
            try:
                made.append(space.schedule(space.sample(rng), seed))
            except ReplayFailure as failure:
                refused.append(str(failure))
        assert len(made) >= 5, (kernel.task, refused)
        assert not any("threads per block" in reason for reason in refused), kernel.task
        for schedule in made:
            assert 1 <= threads_of(schedule.mod) <= MOST_THREADS


def test_mutations_and_crossings_can_be_launched(convolution, target):
    _, space = open_design_space(convolution.module, target, None, 1, seed=1)
    rng = random.Random(2)
    made = []
    while len(made) < 6:
        try:
            schedule = space.schedule(space.sample(rng), 1)
        except ReplayFailure:
            continue
        made.append(space.point_of(schedule.trace))
    limits = [list(point.structure.bound()) for point in made]
    assert all(limits)
    point, seen = made[0], set()
    for _ in range(100):
        point = space.mutate(point, rng)
        seen.add(point.values)
        for spatial, tiles in point.structure.bound():
            assert tiles.admits([point.values[p] for p in spatial])
    assert len(seen) > 50


def test_a_block_of_too_many_threads_is_refused_with_its_reason(wide, target):
    kernel = max(wide, key=lambda kernel: kernel.flops)
    _, space = open_design_space(kernel.module, target, None, 1, seed=1)
    trace = space.sketches[0].trace
    (block,) = tiled_blocks(trace)
    assert (block.spatial_levels, block.reduction_levels) == (5, 3)
    values = {d.index: d.value for d in decisions(trace)}
    extents = {index: math.prod(values[index]) for index in block.spatial}

    def with_all_on(level):
        return with_values(
            trace,
            {i: tuple(n if at == level else 1 for at in range(5)) for i, n in extents.items()},
        )

    postprocessing = Postprocessing(kernel.module, target)
    threads = math.prod(extents.values())
    assert threads > MOST_THREADS
    for level, said in ((THREAD_LEVEL, threads), (0, 1)):
        with pytest.raises(ReplayFailure, match=f"^{said} threads per block, allowed 32 to 1024"):
            replay(kernel.module, with_all_on(level), postprocessing, 1)


# --- Search, droplet, transfer on a made-up machine ----------------------------------------------
def test_a_search_covers_every_kernel_and_learns(searched, kernels, target):
    log = TuningLog(searched)
    assert len(log.trials) == 36
    assert all(not trial.error for trial in log.trials)
    for kernel in kernels:
        (record,) = log.best_records(kernel, 1)
        assert threads_of(record.as_measure_candidate().sch.mod) <= MOST_THREADS


def test_features_tell_schedules_apart_and_a_cost_model_learns_from_them(convolution, target):
    context, space = open_design_space(convolution.module, target, None, 1, seed=1)
    rng, schedules = random.Random(3), []
    while len(schedules) < 24:
        try:
            schedules.append(space.schedule(space.sample(rng), 1 + len(schedules)))
        except ReplayFailure:
            continue
    features = describe_schedules(schedules, context)
    assert all(np.isfinite(one).all() for one in features)
    assert len({one.tobytes() for one in features}) > 12
    surrogate = LoopSurrogate(target, 1, roughness=0.0)
    seconds = [surrogate(schedule.mod) for schedule in schedules]
    trees = BoostedTrees(1, 1)
    trees.add("conv", features, seconds)
    ranks = np.argsort(np.argsort(trees.predict(features)))
    assert np.corrcoef(ranks, np.argsort(np.argsort(-np.array(seconds))))[0, 1] > 0.5


def test_droplets_moves_are_schedules_or_are_refused_with_a_reason(searched, kernels, target):
    log = TuningLog(searched)
    for kernel in kernels:
        (record,) = log.best_records(kernel, 1)
        space = KernelSpace(kernel, record.trace, Postprocessing(kernel.module, target), 1)
        start = space.space.after(space.start, [])
        (begun,) = space.apply([start])
        assert begun.schedule is not None, begun.reason
        steps = space.space.steps(start)
        points = [space.space.after(start, [step]) for step in steps]
        for point in points:
            for axis, value, before in zip(space.space.axes, point, start, strict=True):
                if isinstance(axis, TileAxis):
                    assert math.prod(value) == math.prod(before)
        applied = space.apply(points[::3])
        valid = [one for one in applied if one.schedule is not None]
        assert valid or not applied, kernel.task
        for one in applied:
            if one.schedule is None:
                assert "VerifyGPUCode" in one.reason or "threads per block" in one.reason
            else:
                assert threads_of(one.schedule.mod) <= MOST_THREADS


def test_droplet_descends(searched, kernels, target, tmp_path):
    source = read_source(searched, kernels, tmp_path, True, logger=LOGGER)
    log = TuningLog(tmp_path / "walk")
    settings = DropletSettings(1, 60, 0.05, 6, 8, 1, 1e-3)
    descents = run_droplet(kernels, target, settings, source, log, made_up(target))
    assert sum(descent.moves for descent in descents) > 0
    for descent in descents:
        assert descent.latency <= descent.log_latency
        assert threads_of(descent.best.mod) <= MOST_THREADS


def test_transferred_schedules_fit_other_shapes(searched, kernels, wide, target, tmp_path):
    source = load_source("small", searched, kernels, tmp_path, best=4, logger=LOGGER)
    settings = TransferSettings(
        seed=1, candidates_per_kernel=4, most_per_kernel=8, considered_per_kernel=16,
        records_per_source_kernel=3, seconds=0, significance=0.05, confirm_repeats=4,
        tolerance=1e-3,
    )  # fmt: skip
    chosen = TuningLog(tmp_path / "chosen", LOGGER)
    result = run_transfer(
        wide,
        [source],
        target,
        settings,
        (TuningLog(tmp_path / "measured", LOGGER), chosen),
        made_up(target),
        tmp_path,
        space="stock",
    )
    tried = [row for row in result.rows if row.valid == "yes" and row.kind != "default"]
    assert {row.kernel for row in tried} == {kernel.task for kernel in wide}
    for kernel in wide:
        default = with_default_threads(kernel.module, target)
        for record in chosen.best_records(kernel, 1):
            module = record.as_measure_candidate().sch.mod
            assert threads_of(module) <= MOST_THREADS
            assert candidate_name(module) not in (
                candidate_name(default), candidate_name(kernel.module)
            )  # fmt: skip
            assert "__global__" in source_of(module, target)


# --- Code ----------------------------------------------------------------------------------------
def test_kernels_without_a_schedule_get_threads(kernels, target):
    for kernel in kernels:
        bound = with_default_threads(kernel.module, target)
        assert threads_of(bound) <= MOST_THREADS
        assert with_default_threads(bound, target) is bound
        assert "__global__" in source_of(bound, target)


def test_a_kernel_and_a_model_become_libraries(searched, kernels, model, target, tmp_path):
    (record,) = TuningLog(searched).best_records(kernels[1], 1)
    worker = Kernels(1, HERE)
    for number, module in enumerate((kernels[1].module, record.as_measure_candidate().sch.mod)):
        path = tmp_path / f"kernel{number}.so"
        assert worker.build(module, target, str(path), whole=False) > 0
        assert b"main_kernel" in path.read_bytes()
    bounds = {}
    for name, log in (("untuned", None), ("tuned", TuningLog(searched))):
        compile_model(model, target, log, tmp_path / f"{name}.so")
        content = (tmp_path / f"{name}.so").read_bytes()
        found = re.findall(rb"__launch_bounds__\((\d+)\) (\w+)_kernel\(", content)
        bounds[name] = {task.decode(): int(threads) for threads, task in found}
    assert bounds["untuned"] != bounds["tuned"]
    for kernel in kernels:  # each has in the model the schedule that the log has for it
        (record,) = TuningLog(searched).best_records(kernel, 1)
        assert bounds["tuned"][kernel.task] == threads_of(record.as_measure_candidate().sch.mod)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")
def test_the_cuda_compiler_takes_every_sketch(convolution, target, monkeypatch):
    monkeypatch.setenv("TVM_CUDA_COMPILE_MODE", "nvcc")
    compiler = load_tvm().get_global_func("tvm_callback_cuda_compile")
    _, space = open_design_space(convolution.module, target, None, 1, seed=1)
    rng, compiled = random.Random(5), set()
    for _ in range(400):
        point = space.sample(rng)
        if point.structure in compiled:
            continue
        try:
            schedule = space.schedule(point, 1)
        except ReplayFailure:
            continue
        with target:
            binary = bytes(compiler(source_of(schedule.mod, target)))
        assert len(binary) > 1000
        compiled.add(point.structure)
        if len(compiled) == len(space.sketches):
            break
    assert compiled == set(space.sketches)
