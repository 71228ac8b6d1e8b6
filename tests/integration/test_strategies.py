"""Search and droplet on real TVM with a model of a few small kernels."""

import numpy as np
import pytest

from conftest import MEASURE
from rivulet.droplet import DropletSettings, read_source
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.settle import settle_all
from rivulet.errors import UserError
from rivulet.measure.bench import Bench
from rivulet.records import TuningLog
from rivulet.records.journal import publish
from rivulet.records.log import record_latency
from rivulet.records.stored import read_log
from rivulet.records.summary import log_facts
from rivulet.records.thinned import open_thinned
from rivulet.tvm_compat.traces import Postprocessing, decisions, replay, with_values
from tuning_runs import run_droplet, run_search

TRIALS = 30


def quiet(*_):
    pass


def search(kernels, target, trials, folder, bench, logger, report=quiet):
    log = TuningLog(folder, logger)
    run_search(kernels, target, trials, log, bench, report=report)
    return log


@pytest.fixture(scope="module")
def searched(kernels, target, tmp_path_factory):
    """A finished search, shared by the tests that build on one."""
    import logging

    folder = tmp_path_factory.mktemp("log")
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        search(kernels, target, TRIALS, folder, bench, logging.getLogger("test"))
    return folder


def test_the_budget_is_met_and_every_kernel_has_a_schedule(searched, kernels):
    log = TuningLog(searched)
    assert len(log.trials) == TRIALS
    assert [t.trial for t in log.trials] == list(range(1, TRIALS + 1))
    assert {t.kernel for t in log.trials} == {k.task for k in kernels}
    facts = log_facts(kernels, read_log(searched), "evolutionary")
    assert facts["kernels_covered"] == facts["kernels_total"] == len(kernels)
    assert facts["flops_covered"] == 1
    assert 0 < facts["search_seconds"] == log.trials[-1].elapsed_s


def test_no_candidate_is_measured_twice(searched):
    seen = [(t.kernel, t.candidate) for t in TuningLog(searched).trials]
    assert len(seen) == len(set(seen))


def test_stock_tvm_opens_the_log(searched, kernels, target, tmp_path):
    from tvm.s_tir import meta_schedule as ms

    publish(searched, tmp_path)
    database = ms.database.JSONDatabase(work_dir=str(tmp_path))
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
    log = search(kernels, target, 16, tmp_path / "log", bench, logger)
    assert log.trials[: len(first)] == first
    assert len(log.trials) == 16
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen))
    assert log.trials[len(first)].elapsed_s > first[-1].elapsed_s


def test_a_search_in_which_nothing_runs_says_why(kernels, target, tmp_path, bench, logger):
    bench._measure = {**bench._measure, "repeats": "three"}
    with pytest.raises(UserError, match=r"not one of \d+ candidates could be built and run"):
        search(kernels, target, 8, tmp_path / "log", bench, logger)
    log = TuningLog.resume(tmp_path / "log", logger)
    assert log.trials == []
    assert (tmp_path / "log/failed-1/log.sqlite").exists()


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
    kept = {d.value for d in decisions(schedule.trace) if d.kind == "SamplePerfectTile"}
    assert other in kept


def test_droplet_refines_the_log_and_leaves_no_kernel_slower_than_it_was(
    searched, kernels, target, tmp_path, logger
):
    settings = DropletSettings(1, 16, 0.05, 6, 8, 2, 1e-3)
    source = read_source(searched, kernels, tmp_path / "scratch", True, logger=logger)
    walk = TuningLog(tmp_path / "walk", logger)
    with Bench(target, 1, MEASURE, tmp_path, keep_built=True) as bench:
        descents = run_droplet(kernels, target, settings, source, walk, bench)
        settled = settle_all(descents, settings, bench, quiet, logger=logger)
    own = [t for t in walk.trials if t.strategy == "droplet"]
    assert len(own) == 16
    # Every kernel has a schedule from the start, so the model's latency is known throughout.
    sums = [float(trial.model_ms) for trial in walk.trials]
    assert sums == sorted(sums, reverse=True)
    measured = {(t.kernel, t.candidate) for t in TuningLog(searched).trials}
    assert not measured & {(t.kernel, t.candidate) for t in own}
    combine_logs(
        settled, target, searched, walk.trials, scratch=tmp_path / "scratch",
        combined=tmp_path / "combined", logger=logger,
    )  # fmt: skip
    stored = read_log(tmp_path / "combined")
    assert stored.trials == walk.trials
    combined = open_thinned(stored, tmp_path / "opened")
    for one in settled:
        kernel = one.descent.kernel
        (best,) = combined.best_records(kernel, 1)
        if one.winner is None:
            (before,) = TuningLog(searched).best_records(kernel, 1)
            assert record_latency(best) == record_latency(before)
            assert one.row.reason
        else:
            assert record_latency(best) == one.winner < one.start
    # Going on with a finished walk measures nothing more.
    again = TuningLog(tmp_path / "walk", logger)
    count = len(again.trials)
    run_droplet(kernels, target, settings, source, again, None)
    assert len(again.trials) == count
