"""Search, droplet and transfer on real TVM with a model of a few small kernels."""

import csv

import numpy as np
import pytest

from conftest import SEARCH, write_onnx
from rivulet.benchmark.compile import CompiledModel, compile_model
from rivulet.benchmark.onnxruntime_model import OnnxRuntimeModel
from rivulet.droplet import DropletSettings, refine_model
from rivulet.droplet.combine import combine_logs
from rivulet.errors import UserError
from rivulet.kernels.extract import extract_kernels
from rivulet.models.prepare import prepare_model
from rivulet.records import TuningLog
from rivulet.records.log import record_latency
from rivulet.records.summary import log_facts
from rivulet.search import search_model
from rivulet.transfer import TransferSettings, transfer_schedules
from rivulet.transfer.candidates import source_schedules
from rivulet.tvm_compat.traces import Postprocessing, decisions, replay, tile_extents, with_values

TRIALS = 30
TRANSFER = TransferSettings(1, 3, 1, 0.05, 4, 1e-3)


def quiet(*_):
    pass


def search(kernels, target, trials, folder, bench, logger, report=quiet):
    log = TuningLog(folder, logger)
    search_model(kernels, target, trials, SEARCH, 1, log, bench, report, logger)
    return log


@pytest.fixture(scope="module")
def searched(kernels, target, tmp_path_factory):
    """A finished search, shared by the tests that build on one."""
    import logging

    from conftest import MEASURE
    from rivulet.measure.bench import Bench

    folder = tmp_path_factory.mktemp("log")
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        search(kernels, target, TRIALS, folder, bench, logging.getLogger("test"))
    return folder


def test_the_budget_is_met_and_every_kernel_has_a_schedule(searched, kernels):
    log = TuningLog(searched)
    assert len(log.trials) == TRIALS
    assert [t.trial for t in log.trials] == list(range(1, TRIALS + 1))
    assert {t.kernel for t in log.trials} == {k.task for k in kernels}
    facts = log_facts(kernels, log, "evolutionary")
    assert facts["kernels_covered"] == facts["kernels_total"] == len(kernels)
    assert facts["flops_covered"] == 1
    assert 0 < facts["search_seconds"] == log.trials[-1].elapsed_s


def test_no_candidate_is_measured_twice(searched):
    seen = [(t.kernel, t.candidate) for t in TuningLog(searched).trials]
    assert len(seen) == len(set(seen))


def test_stock_tvm_opens_the_log(searched, kernels, target):
    from tvm.s_tir import meta_schedule as ms

    database = ms.database.JSONDatabase(work_dir=str(searched))
    assert len(database) == sum(not t.error for t in TuningLog(searched).trials)
    for kernel in kernels:
        assert database.query_tuning_record(kernel.module, target, "main") is not None


def test_records_carry_the_arguments_of_the_scheduled_kernel(searched, kernels):
    from rivulet.tvm_compat.arguments import kernel_arguments

    for kernel in kernels:
        (record,) = TuningLog(searched).best_records(kernel, 1)
        scheduled = record.as_measure_candidate().sch.mod
        shapes = [tuple(int(n) for n in info.shape) for info in record.args_info]
        assert shapes == [shape for shape, _ in kernel_arguments(scheduled, packed=True)]


def test_an_interrupted_search_goes_on_within_its_budget(kernels, target, tmp_path, bench, logger):
    class Killed(Exception):
        pass

    def kill(done, _):
        if done >= 9:
            raise Killed

    with pytest.raises(Killed):
        search(kernels, target, 16, tmp_path / "log", bench, logger, kill)
    first = TuningLog(tmp_path / "log").trials
    with (tmp_path / "log/trials.csv").open("a") as stream:
        stream.write("17,3.0,cut of")  # as a kill in the middle of a write leaves it
    with (tmp_path / "log/database_tuning_record.json").open("a") as stream:
        stream.write('[0, [[["GetSBl')
    log = search(kernels, target, 16, tmp_path / "log", bench, logger)
    assert log.trials[: len(first)] == first
    assert len(log.trials) == 16
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen))
    assert log.trials[len(first)].elapsed_s > first[-1].elapsed_s
    assert (tmp_path / "log/trials.csv.damaged").exists()


def test_a_search_in_which_nothing_runs_says_why(kernels, target, tmp_path, bench, logger):
    bench._measure = {**bench._measure, "repeats": "three"}
    with pytest.raises(UserError, match=r"not one of \d+ candidates could be built and run"):
        search(kernels, target, 8, tmp_path / "log", bench, logger)
    log = TuningLog.resume(tmp_path / "log", logger)
    assert log.trials == []
    assert (tmp_path / "log/failed-1/trials.csv").exists()


def test_replaying_a_record_gives_the_code_that_was_measured(searched, kernels, target):
    from rivulet.tvm_compat.names import candidate_name

    log = TuningLog(searched)
    for kernel in kernels:
        (record,) = log.best_records(kernel, 1)
        schedule = replay(kernel.module, record.trace, Postprocessing(kernel.module, target))
        assert candidate_name(schedule.mod) in {
            t.candidate for t in log.trials if t.kernel == kernel.task
        }


def test_decisions_are_read_changed_and_replayed(searched, kernels, target):
    kernel = max(kernels, key=lambda k: k.flops)
    (record,) = TuningLog(searched).best_records(kernel, 1)
    found = decisions(record.trace)
    assert {d.kind for d in found} >= {"SamplePerfectTile", "meta_schedule.parallel"}
    tile = next(d for d in found if d.kind == "SamplePerfectTile" and np.prod(d.value) == 8)
    other = (8,) + (1,) * (len(tile.value) - 1)
    limit = next(d for d in found if d.kind == "meta_schedule.vectorize")
    changed = with_values(record.trace, {tile.index: other, limit.index: (4,)})
    values = {d.index: d.value for d in decisions(changed)}
    assert values[tile.index] == other
    assert values[limit.index] == (4,)
    schedule = replay(kernel.module, changed, Postprocessing(kernel.module, target))
    assert tile_extents(changed, schedule)[tile.index] == 8


def test_droplet_never_leaves_a_kernel_slower_than_it_was(
    searched, kernels, target, tmp_path, bench, logger
):
    settings = DropletSettings(1, 24, 0.05, 6, 8)
    source, walk = TuningLog(searched), TuningLog(tmp_path / "walk", logger)
    refine_model(kernels, target, settings, source, walk, bench, quiet, logger)
    own = [t for t in walk.trials if t.strategy == "droplet"]
    assert 0 < len(own) <= 24
    measured = {(t.kernel, t.candidate) for t in source.trials}
    assert not measured & {(t.kernel, t.candidate) for t in own}
    combined = TuningLog(tmp_path / "combined", logger)
    gained = combine_logs(kernels, target, settings, source, walk, combined, bench, quiet, logger)
    assert 0 <= gained <= len(kernels)
    for kernel in kernels:
        best = combined.best_records(kernel, 2)
        assert best, kernel.task
        if walk.best_records(kernel, 1) and len(best) > 1:
            assert record_latency(best[0]) <= record_latency(best[1])
    # Going on with a finished walk measures nothing more.
    again = TuningLog(tmp_path / "walk", logger)
    count = len(again.trials)
    refine_model(
        kernels,
        target,
        DropletSettings(1, len(own), 0.05, 6, 8),
        source,
        again,
        bench,
        quiet,
        logger,
    )
    assert len(again.trials) == count


@pytest.fixture(scope="module")
def wide(target, tmp_path_factory):
    path = write_onnx(tmp_path_factory.mktemp("wide") / "wide.onnx", channels=12, size=10)
    model = prepare_model(path, target)
    return path, model, extract_kernels(model, target)


def test_transfer_covers_another_shape_with_correct_output(
    searched, kernels, wide, target, tmp_path, bench, logger
):
    log = TuningLog(tmp_path / "transfer", logger)
    _, _, targets = wide
    rows = transfer_schedules(
        targets, kernels, target, TRANSFER, TuningLog(searched), log, bench, quiet, logger
    )
    by_kernel = {k.task: [r for r in rows if r.kernel == k.task] for k in targets}
    for kernel in targets:
        assert sum(r.chosen == "yes" for r in by_kernel[kernel.task]) == 1
        assert [r.kind for r in by_kernel[kernel.task]].count("default") == 1
    convolutions = [k for k in targets if k.kind == "conv2d_add_relu"]
    for kernel in convolutions:
        assert any(r.correct == "yes" for r in by_kernel[kernel.task])
    chosen = {r.kernel: r for r in rows if r.chosen == "yes"}
    for kernel in targets:
        assert bool(log.best_records(kernel, 1)) == (chosen[kernel.task].kind != "default")


def test_another_fusion_around_the_same_anchor_is_covered(
    searched, kernels, target, tmp_path, bench, logger
):
    path = write_onnx(tmp_path / "tanh.onnx", channels=12, size=10, between="Tanh")
    model = prepare_model(path, target)
    convolutions = [k for k in extract_kernels(model, target) if "conv2d" in k.kind]
    assert {k.kind for k in convolutions} == {"conv2d_add_tir_tanh"}
    log = TuningLog(tmp_path / "transfer", logger)
    rows = transfer_schedules(
        convolutions, kernels, target, TRANSFER, TuningLog(searched), log, bench, quiet, logger
    )
    for kernel in convolutions:
        own = [r for r in rows if r.kernel == kernel.task and r.kind != "default"]
        assert {r.kind for r in own} == {"anchor"}
        assert any(r.correct == "yes" for r in own)
    chosen = [k for k in convolutions if log.best_records(k, 1)]
    for kernel in chosen:  # what was recorded replays by itself, as the model's build does it
        (record,) = log.best_records(kernel, 1)
        assert record.as_measure_candidate().sch.mod is not None
    assert chosen


def test_a_transferred_model_computes_what_onnxruntime_does(
    searched, kernels, wide, target, tmp_path, bench, logger
):
    path, model, targets = wide
    log = TuningLog(tmp_path / "transfer", logger)
    transfer_schedules(
        targets, kernels, target, TRANSFER, TuningLog(searched), log, bench, quiet, logger
    )
    inputs = [np.random.default_rng(0).standard_normal((1, 3, 10, 10)).astype(np.float32)]
    reference = OnnxRuntimeModel(path, 1)
    reference.bind(inputs)
    reference.run()
    for name, applied in (("untuned", None), ("transfer", log)):
        library = tmp_path / f"{name}.so"
        compile_model(model, target, applied, library)
        compiled = CompiledModel(library, model.params)
        compiled.bind(inputs)
        compiled.run()
        np.testing.assert_allclose(
            compiled.outputs()[0], reference.outputs()[0], rtol=1e-3, atol=1e-4
        )


def test_the_same_workload_comes_before_its_class(searched, kernels):
    kernel = max(kernels, key=lambda k: k.flops)
    found = source_schedules(kernel, kernels, TuningLog(searched), per_source=2, limit=8)
    assert found[0].kind == "exact"
    assert found[0].kernel.task == kernel.task
    kinds = [s.kind for s in found]
    assert kinds == sorted(kinds, key=lambda kind: kind != "exact")
    ranks = [s.rank for s in found if s.kind == "class"]
    assert ranks == sorted(ranks)


def test_a_source_with_nothing_in_common_is_said_so(kernels, target, tmp_path, bench, logger):
    empty = TuningLog(tmp_path / "empty", logger)
    log = TuningLog(tmp_path / "t", logger)
    rows = transfer_schedules(
        kernels[:1], kernels[1:], target, TRANSFER, empty, log, bench, quiet, logger
    )
    assert [(r.kind, r.chosen) for r in rows] == [("", ""), ("default", "yes")]
    assert rows[0].reason == "the source model has no kernel of class transpose"
    rows = transfer_schedules(
        kernels[:1], kernels[:1], target, TRANSFER, empty, log, bench, quiet, logger
    )
    assert rows[0].reason == "the source's log has no schedule for its kernels of this class"


def test_candidates_table(searched, kernels, target, tmp_path, bench, logger):
    from rivulet.transfer.table import covered_kernels, read_candidates, write_candidates

    log = TuningLog(tmp_path / "t", logger)
    rows = transfer_schedules(
        kernels[1:2], kernels, target, TRANSFER, TuningLog(searched), log, bench, quiet, logger
    )
    write_candidates(rows, tmp_path / "candidates.csv")
    with (tmp_path / "candidates.csv").open() as stream:
        header = next(csv.reader(stream))
    assert header[:3] == ["kernel", "kernel_class", "weight"]
    assert covered_kernels(read_candidates(tmp_path / "candidates.csv")) == {kernels[1].task}
