"""The bench with real kernels, and with kernels that crash, hang and do not compile."""

import os

import pytest

from conftest import MEASURE
from rivulet.measure.bench import Bench
from rivulet.measure.pool import Worker
from rivulet.measure.protocol import WorkerFailure
from rivulet.tvm_compat import given_cpus


def kernel_that(body):
    """A kernel whose one block calls a C function, on one float."""
    from rivulet.tvm_compat import load_tvm

    tvm = load_tvm()
    source = f"""
# from tvm.script import ir as I
# from tvm.script import tirx as T
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((1,), "float32"), B: T.Buffer((1,), "float32")):
        T.func_attr({{"tirx.noalias": True}})
        for i in range(1):
            with T.sblock("b"):
                v = T.axis.spatial(1, i)
                T.reads(A[v])
                T.writes(B[v])
                {body}
"""
    return tvm.script.from_source(source)


@pytest.fixture(scope="module")
def good():
    return kernel_that("B[v] = A[v] * T.float32(2)")


def test_samples_are_plausible_and_artefacts_removed(bench, good, tmp_path):
    (result,) = bench.measure([good])
    assert result.error == ""
    assert len(result.samples) == MEASURE["repeats"]
    assert all(0 < s < 0.01 for s in result.samples)
    assert list((tmp_path / "bench").iterdir()) == []


def test_a_crash_costs_itself_only(bench, good):
    crash = kernel_that('B[v] = A[v] + T.call_extern("float32", "abort")')
    first, second, third = bench.measure([good, crash, good])
    assert first.samples
    assert third.samples
    assert second.error == "run crash: the process was ended by SIGABRT"
    assert second.latency == float("inf")


def test_a_hang_costs_its_timeout(target, good, tmp_path):
    settings = {**MEASURE, "run_timeout_s": 1.0}
    hang = kernel_that('B[v] = A[v] + T.call_extern("float32", "pause")')
    with Bench(target, 1, settings, tmp_path) as bench:
        assert bench.measure([good])[0].samples  # the worker is up now
        result, after = bench.measure([hang, good])
    assert result.error == "run timeout: no result within 1 s"
    assert 1.0 <= result.run_seconds < 5.0
    assert after.samples


def test_builders_that_were_replaced_go_on(target, good, tmp_path):
    with Bench(target, 1, {**MEASURE, "worker_max_uses": 2}, tmp_path) as bench:
        for _ in range(4):
            assert [r.error for r in bench.measure([good] * 3)] == [""] * 3


def test_a_kernel_that_cannot_be_linked_says_so(bench, good):
    bad = kernel_that('B[v] = A[v] + T.call_extern("float32", "no_such_function_anywhere")')
    result, after = bench.measure([bad, good])
    assert not result.samples
    assert "no_such_function_anywhere" in result.error
    assert after.samples


def test_a_slow_candidate_gets_one_sample(bench, kernels):
    conv = next(k for k in kernels if k.kind == "conv2d_add_relu")
    (result,) = bench.measure([conv.module], {0: 1e-9})
    assert len(result.samples) == 1


def test_a_candidate_that_looks_like_the_best_gets_more_samples(bench, good):
    faster, slower, unrivalled = bench.measure(
        [good] * 3, {"far": 1.0, "near": 1e-9}, ["far", "near", "none"]
    )
    assert len(faster.samples) == MEASURE["repeats"] + MEASURE["winner_repeats"]
    assert len(slower.samples) == 1
    assert len(unrivalled.samples) == MEASURE["repeats"]


def test_interleaved_samples_come_back_in_order(bench, good, kernels):
    conv = max(kernels, key=lambda k: k.flops)
    quick, slow = bench.measure_interleaved([good, conv.module], 5, seed=3)
    assert len(quick.samples) == len(slow.samples) == 5
    assert quick.latency < slow.latency


def test_outputs_tell_right_from_wrong(bench, good):
    wrong = kernel_that("B[v] = A[v] * T.float32(3)")
    broken = kernel_that('B[v] = A[v] + T.call_extern("float32", "abort")')
    same, other, failed = bench.compare([good, wrong, broken], [good] * 3, seed=1)
    assert same.error == 0
    assert 0 < same.seconds < 1
    assert 0 < same.reference_seconds < 1
    assert other.error > 0.3
    assert isinstance(failed, WorkerFailure)


def test_a_worker_is_replaced_after_its_uses():
    worker = Worker(1, max_uses=2, memory_gib=1)
    try:
        assert worker.call("ping", timeout=60) == 1
        first = worker._process.pid
        worker.call("ping", timeout=60)
        worker.call("ping", timeout=60)
        assert worker._process.pid != first
        with pytest.raises(WorkerFailure, match="error: AttributeError"):
            worker.call("no_such_method", timeout=60)
    finally:
        worker.close()


def test_builders_use_all_cores_where_kernels_run_on_one(good, target, tmp_path):
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(own)})  # as TVM's pool pins a thread that is its only one
    try:
        with Bench(target, 1, {**MEASURE, "build_workers": 2}, tmp_path) as bench:
            assert [one.error for one in bench.measure([good] * 4)] == [""] * 4
            for builder in bench._builders:
                assert os.sched_getaffinity(builder.pid) == given_cpus()
    finally:
        os.sched_setaffinity(0, own)


def test_a_bench_that_keeps_what_it_built_builds_it_once(kernels, target, tmp_path):
    modules = [kernel.module for kernel in kernels[:2]]
    crash = kernel_that('B[v] = A[v] + T.call_extern("float32", "abort")')
    with Bench(target, 1, MEASURE, tmp_path, keep_built=True) as bench:
        first = bench.measure([*modules, crash, modules[0]], groups=[0, 1, 2, 3])
        built = sorted(tmp_path.iterdir())
        assert len(built) == 3
        again = bench.measure_interleaved(modules, 3, 0)
        assert sorted(tmp_path.iterdir()) == built
    assert [bool(one.samples) for one in first] == [True, True, False, True]
    assert [len(one.samples) for one in again] == [3, 3]
    assert [one.build_seconds for one in again] == [0.0, 0.0]
    assert list(tmp_path.iterdir()) == []


def test_what_was_built_long_ago_makes_room(kernels, target, tmp_path, monkeypatch):
    monkeypatch.setattr("rivulet.measure.bench._KEPT", 2)
    first, second, third = (kernel.module for kernel in kernels[:3])
    with Bench(target, 1, MEASURE, tmp_path, keep_built=True) as bench:
        bench.measure([first, second])
        bench.measure([first, third])  # the second has waited longest
        assert len(list(tmp_path.iterdir())) == 2
        kept, again = bench.measure_interleaved([first, second], 3, 0)
    assert (kept.build_seconds, len(kept.samples), len(again.samples)) == (0.0, 3, 3)
    assert again.build_seconds > 0
    assert list(tmp_path.iterdir()) == []
