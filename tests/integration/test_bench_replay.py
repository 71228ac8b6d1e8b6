"""Real strategies on the replay bench: the same trials for the same seed, wherever they run."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import MEASURE, ROOT, SEARCH, write_onnx
from rivulet.droplet import DropletSettings, read_source
from rivulet.graph.prepare import prepare_model
from rivulet.kernels import load_kernels, save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.replay import NOT_RECORDED, RecordedTable, ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.transfer import TransferSettings, load_source
from tuning_runs import run_droplet, run_search, run_transfer

LOGGER = logging.getLogger("test")


def quiet(*_):
    pass


def decided(log):
    """What a strategy decided and was told; everything but the clock."""
    return [
        [t.batch, t.kernel, t.strategy, t.candidate, t.samples_us, t.error, t.best_us, t.model_ms]
        for t in log.trials
    ]


def search(kernels, target, bench, folder, trials=30, seed=1, threads=2):
    log = TuningLog(folder)
    settings = {**SEARCH, "seed": seed}
    run_search(kernels, target, trials, log, bench, settings=settings, threads=threads)
    return log


def strategies(sources, targets, target, folder, seed):
    """All three strategies, each on a bench of its own, on a machine that is made up."""

    def bench():
        return ReplayBench(surrogate=LoopSurrogate(target, 1))

    source = search(sources, target, bench(), folder / "search", seed=seed)
    walk = TuningLog(folder / "walk")
    known = read_source(source.folder, sources, folder, True, logger=LOGGER)
    settings = DropletSettings(seed, 16, 0.05, 6, 8, 2, 1e-3)
    run_droplet(sources, target, settings, known, walk, bench(), threads=2)
    lent = load_source("model", source.folder, sources, folder, best=2, logger=LOGGER)
    moved, taken = TuningLog(folder / "transfer"), TuningLog(folder / "taken")
    settings = TransferSettings(seed, 3, 8, 12, 2, 0, 0.05, 4, 1e-3)
    run_transfer(targets, [lent], target, settings, (moved, taken), bench(), folder)
    return {"search": decided(source), "droplet": decided(walk), "transfer": decided(moved)}


def strategies_from_files(folder, seed):
    """The same in a process of its own; prints JSON. Called by the test below."""
    from rivulet.hardware import Device
    from rivulet.hardware.target import resolve_target

    target = resolve_target(Device("local", "auto", 1))
    sources, targets = (load_kernels(folder / name) for name in ("sources.gz", "targets.gz"))
    print(json.dumps(strategies(sources, targets, target, folder / "log", seed)))


@pytest.fixture(scope="module")
def models(kernels, target, tmp_path_factory):
    """Kernels of two models, and a folder that holds them."""
    folder = tmp_path_factory.mktemp("kernels")
    path = write_onnx(folder / "wide.onnx", channels=12, size=10)
    targets = extract_kernels(prepare_model(path, target), target)
    for name, some in (("sources", kernels), ("targets", targets)):
        save_kernels(some, folder / f"{name}.csv", folder / f"{name}.gz")
    return kernels, targets, folder


@pytest.fixture(scope="module")
def first_run(models, target, tmp_path_factory):
    sources, targets, _ = models
    return strategies(sources, targets, target, tmp_path_factory.mktemp("first"), seed=1)


def test_every_strategy_gets_somewhere_on_the_surrogate(first_run, models):
    for name, strategy in (("search", "evolutionary"), ("droplet", "droplet")):
        own = [row for row in first_run[name] if row[2] == strategy]
        assert len(own) == {"search": 30, "droplet": 16}[name]
        assert all(row[4] != "[]" and not row[5] for row in own)
    assert {row[2] for row in first_run["transfer"]} == {
        "transfer", "transfer-default", "transfer-confirm",
    }  # fmt: skip
    final = {row[1]: float(row[6]) for row in first_run["search"]}
    first = {row[1]: float(row[6]) for row in reversed(first_run["search"])}
    assert set(final) == {kernel.task for kernel in models[0]}
    assert any(final[task] < first[task] for task in final)


def test_another_run_in_this_process_decides_the_same(first_run, models, target, tmp_path):
    sources, targets, _ = models
    assert strategies(sources, targets, target, tmp_path, seed=1) == first_run


def test_another_process_decides_the_same(first_run, models):
    folder = models[2]
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(Path(__file__).parent)]
    code = (
        "import sys, pathlib, test_bench_replay as t; "
        "t.strategies_from_files(pathlib.Path(sys.argv[1]), 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "77"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(done.stdout) == first_run


def test_another_seed_decides_otherwise(first_run, models, target, tmp_path):
    sources, targets, _ = models
    other = strategies(sources, targets, target, tmp_path, seed=2)
    for name in first_run:
        assert other[name] != first_run[name], name


def test_a_search_on_hardware_replays_from_its_own_log(kernels, target, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Bench(target, 1, MEASURE, scratch) as bench:
        recorded = search(kernels, target, bench, tmp_path / "recorded")
    replay = ReplayBench(RecordedTable(TuningLog(tmp_path / "recorded").trials))
    replayed = search(kernels, target, replay, tmp_path / "replayed")
    assert decided(replayed) == decided(recorded)
    assert (replay.hits, replay.misses) == (30, 0)
    spent = sum(t.build_s + t.run_s for t in recorded.trials)
    assert replay.simulated_seconds == pytest.approx(spent)


def test_interleaved_samples_differ_from_round_to_round_but_not_from_run_to_run(kernels, target):
    modules = [kernel.module for kernel in kernels[:2]]

    def drawn(seed, bench_seed=0):
        bench = ReplayBench(surrogate=LoopSurrogate(target, 1), seed=bench_seed)
        return [one.samples for one in bench.measure_interleaved(modules, 6, seed)]

    first = drawn(1)
    assert all(len(set(samples)) == 6 for samples in first)
    assert drawn(1) == first
    assert drawn(2) != first
    assert drawn(1, bench_seed=5) != first


def test_recorded_samples_are_drawn_again_in_interleaved_rounds(kernels, target, tmp_path):
    log = search(kernels, target, ReplayBench(surrogate=LoopSurrogate(target, 1)), tmp_path)
    kernel = max(kernels, key=lambda k: k.flops)
    (record,) = log.best_records(kernel, 1)
    module = record.as_measure_candidate().sch.mod
    table = RecordedTable(log.trials)
    bench = ReplayBench(table)
    (measured,) = bench.measure([module])
    one, two = bench.measure_interleaved([module, module], 20, seed=3)
    assert set(one.samples) == set(two.samples) == set(measured.samples)
    assert one.samples != two.samples
    assert one.run_seconds == pytest.approx(measured.run_seconds * 20 / 3)


def test_what_is_not_recorded_fails_with_its_reason_or_goes_to_the_surrogate(kernels, target):
    module = kernels[0].module
    bench = ReplayBench()
    (result,) = bench.measure([module])
    assert (result.samples, result.error) == ((), NOT_RECORDED)
    assert bench.measure_interleaved([module], 3, seed=1)[0].error == NOT_RECORDED
    assert bench.simulated_seconds == 0
    judging = ReplayBench(surrogate=LoopSurrogate(target, 1))
    (result,) = judging.measure([module])
    assert len(result.samples) == 3
    assert judging.misses == 1
    assert judging.simulated_seconds == result.build_seconds + result.run_seconds > 0


def test_the_surrogate_prefers_what_machines_prefer(kernels, target, tmp_path):
    surrogate = LoopSurrogate(target, 1, roughness=0.0)
    log = search(kernels, target, ReplayBench(surrogate=surrogate), tmp_path)
    for kernel in kernels:
        if kernel.kind == "conv2d_add_relu":
            (record,) = log.best_records(kernel, 1)
            tuned = surrogate(record.as_measure_candidate().sch.mod)
            assert tuned < 0.5 * surrogate(kernel.module)
    largest = max(kernels, key=lambda k: k.flops)
    assert surrogate(largest.module) > surrogate(min(kernels, key=lambda k: k.flops).module)
    smooth, rough = LoopSurrogate(target, 1, roughness=0.0), LoopSurrogate(target, 1, seed=9)
    assert smooth(largest.module) != rough(largest.module) == rough(largest.module)
