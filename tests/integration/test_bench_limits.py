"""Candidates that would take the bench or the machine with them, each followed by a good one."""

import gc
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from conftest import MEASURE
from rivulet.config.sections import Measure
from rivulet.measure.bench import Bench
from rivulet.measure.pool import Worker
from rivulet.tvm_compat import load_tvm

HEADER = """
# from tvm.script import ir as I
# from tvm.script import tirx as T
"""
GOOD = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((64,), "float32"), B: T.Buffer((64,), "float32")):
        for i in range(64):
            with T.sblock("b"):
                v = T.axis.spatial(64, i)
                B[v] = A[v] * T.float32({factor})
"""
WRITES_ELSEWHERE = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((1,), "float32"), B: T.Buffer((T.int64(1),), "float32")):
        for i in T.serial(T.int64(0), T.int64(1)):
            with T.sblock("b"):
                v = T.axis.spatial(T.int64(1), i)
                B[v + T.int64(35184372088832)] = A[0]
"""
LOOPS = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((1,), "float32"), B: T.Buffer((1,), "float32")):
        for i in T.serial(T.int64(0), T.int64(1125899906842624)):
            with T.sblock("b"):
                v = T.axis.reduce(T.int64(1125899906842624), i)
                B[0] = B[0] * T.float32(0.5) + A[0]
"""
ALLOCATES = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((1,), "float32"), B: T.Buffer((1,), "float32")):
        C = T.sblock_alloc_buffer((T.int64({elements}),), "float32")
        for i in T.serial(T.int64(0), T.int64({elements})):
            with T.sblock("fill"):
                v = T.axis.spatial(T.int64({elements}), i)
                C[v] = A[0] + T.Cast("float32", v)
        for i in T.serial(T.int64(0), T.int64({elements})):
            with T.sblock("add"):
                v = T.axis.reduce(T.int64({elements}), i)
                B[0] = B[0] + C[v] * C[T.int64({elements} - 1) - v]
"""
UNROLLS = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((4194304,), "float32"), B: T.Buffer((4194304,), "float32")):
        for i in T.unroll(4194304):
            with T.sblock("b"):
                v = T.axis.spatial(4194304, i)
                B[v] = T.exp(A[v]) * T.float32(2) + A[4194303 - v]
"""
NO_MAIN = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def one(A: T.Buffer((1,), "float32")):
        for i in range(1):
            with T.sblock("b"):
                v = T.axis.spatial(1, i)
                A[v] = T.float32(1)
    @T.prim_func(s_tir=True)
    def other(A: T.Buffer((1,), "float32")):
        for i in range(1):
            with T.sblock("b"):
                v = T.axis.spatial(1, i)
                A[v] = T.float32(2)
"""
LARGE_DENSE = """
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(
        A: T.Buffer((1, 25088), "float32"),
        W: T.Buffer((25088, 4096), "float32"),
        C: T.Buffer((1, 4096), "float32"),
    ):
        for j, k in T.grid(4096, 25088):
            with T.sblock("matmul"):
                vj, vk = T.axis.remap("SR", [j, k])
                with T.init():
                    C[0, vj] = T.float32(0)
                C[0, vj] = C[0, vj] + A[0, vk] * W[vk, vj]
"""
GIB = 1024**3


def module(source, **values):
    return load_tvm().script.from_source(HEADER + source.format(**values))


def settings(**changed):
    return {**MEASURE, "build_workers": 1, **changed}


@pytest.fixture(scope="module")
def good():
    return module(GOOD, factor=2)


def measured_beside(good, target, scratch, bad, **changed):
    """Measure a bad candidate between good ones; its measurement and the seconds it took."""
    with Bench(target, 1, settings(**changed), scratch) as bench:
        assert bench.measure([good])[0].samples  # the workers are up now
        started = time.monotonic()
        (result,) = bench.measure([bad])
        took = time.monotonic() - started
        (after,) = bench.measure([good])
        (same,) = bench.compare([good], [good], seed=1)
        assert (after.error, len(after.samples), same.error) == ("", MEASURE["repeats"], 0.0)
    assert list(scratch.iterdir()) == []
    assert result.samples == ()
    return result, took


def test_a_write_out_of_bounds_ends_in_a_recorded_crash(good, target, tmp_path):
    result, _ = measured_beside(good, target, tmp_path, module(WRITES_ELSEWHERE))
    assert result.error == "run crash: the process was ended by SIGSEGV"


def test_a_kernel_that_loops_for_ever_costs_its_timeout(good, target, tmp_path):
    result, took = measured_beside(good, target, tmp_path, module(LOOPS), run_timeout_s=1.0)
    assert result.error == "run timeout: no result within 1 s"
    assert took < 4.0


def test_a_build_without_end_costs_its_timeout(good, target, tmp_path):
    result, took = measured_beside(good, target, tmp_path, module(UNROLLS), build_timeout_s=2.0)
    assert result.error == "build timeout: no result within 2 s"
    assert took < 5.0


def test_a_build_that_eats_memory_says_so(good, target, tmp_path):
    result, _ = measured_beside(
        good, target, tmp_path, module(UNROLLS), worker_memory_gib=0.25, build_timeout_s=120.0
    )
    assert result.error == (
        "build out of memory: it needs more than 0.25 GiB (measure.worker_memory_gib)"
    )


@pytest.mark.parametrize("gib", [2, 4096])
def test_a_kernel_that_allocates_too_much_says_so(good, target, tmp_path, gib):
    hungry = module(ALLOCATES, elements=gib * GIB // 4)
    result, _ = measured_beside(good, target, tmp_path, hungry, worker_memory_gib=0.5)
    assert result.error == (
        "run out of memory: it needs more than 0.5 GiB (measure.worker_memory_gib)"
    )


def test_a_kernel_within_the_bound_runs(target, tmp_path):
    hungry = module(ALLOCATES, elements=GIB // 4 // 4)
    with Bench(target, 1, settings(worker_memory_gib=0.5), tmp_path) as bench:
        assert bench.measure([hungry])[0].error == ""


def test_the_largest_layer_of_common_models_fits_the_default_bound(target, tmp_path):
    dense = module(LARGE_DENSE)
    bound = Measure().worker_memory_gib
    with Bench(target, 1, settings(worker_memory_gib=bound, run_timeout_s=60.0), tmp_path) as bench:
        (same,) = bench.compare([dense], [dense], seed=1)
        assert same.error == 0.0
        assert bench.measure([dense])[0].error == ""


def test_arguments_that_do_not_fit_say_so(good, target, tmp_path):
    source = GOOD.replace("64", str(GIB // 4))  # two arrays of one GiB each
    result, _ = measured_beside(
        good, target, tmp_path, module(source, factor=2), worker_memory_gib=0.5
    )
    assert result.error.startswith("run out of memory: ")


def test_what_is_no_kernel_is_recorded_as_such(good, target, tmp_path):
    result, _ = measured_beside(good, target, tmp_path, module(NO_MAIN))
    assert result.error.startswith("build error: no kernel 'main' to build")
    empty = load_tvm().IRModule({})
    result, _ = measured_beside(good, target, tmp_path, empty)
    assert result.error.startswith("build error: no kernel 'main' to build")


def test_a_kernel_that_is_nested_too_deeply_says_so(good, target, tmp_path):
    tvm = load_tvm()
    from tvm import te

    def deep(i):
        value = argument[i]
        for _ in range(3000):
            value = value + 1.0
        return tvm.tirx.sqrt(value)

    argument = te.placeholder((8,), "float32", name="A")
    function = te.create_prim_func([argument, te.compute((8,), deep)])
    nested = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    result, _ = measured_beside(good, target, tmp_path, nested)
    assert result.error == "build error: its expressions are nested too deeply"


@pytest.mark.parametrize(("gib", "replaced"), [(0.75, True), (2, False)])
def test_a_worker_that_keeps_memory_is_replaced_between_requests(target, tmp_path, gib, replaced):
    # Two arrays of a quarter GiB, which the worker keeps for the next candidate.
    keeping = module(GOOD.replace("64", str(GIB // 16)), factor=2)
    with Bench(target, 1, settings(worker_memory_gib=gib), tmp_path) as bench:
        pids = []
        for candidate in (keeping, module(GOOD, factor=3), module(GOOD, factor=4)):
            assert bench.measure([candidate])[0].error == ""
            pids.append(bench.runner_pids[0])
    assert (pids[0] != pids[1]) == replaced
    assert pids[1] == pids[2]


def test_a_worker_that_died_between_requests_is_nobody_elses_fault():
    worker = Worker(1, max_uses=9, memory_gib=1)
    try:
        assert worker.call("ping", timeout=60) == 1
        worker._process.kill()
        worker._process.wait()
        assert worker.call("ping", timeout=60) == 1
    finally:
        worker.close()


def test_what_a_worker_prints_reaches_the_log(capfd):
    worker = Worker(1, max_uses=9, memory_gib=1)
    try:
        with pytest.raises(Exception, match="no_such_method"):
            worker.call("no_such_method", timeout=60)
    finally:
        worker.close()
    printed = capfd.readouterr().err
    assert "Traceback" in printed
    assert "no_such_method" in printed


def test_large_arguments_of_ever_other_shapes_do_not_pile_up_in_the_runner(target, tmp_path):
    """As packed weights are: each of the largest layer's schedules wants them in other shapes."""
    large = GOOD.replace("64", "{size}")
    with Bench(target, 1, settings(min_repeat_ms=0, repeats=1), tmp_path) as bench:
        for extra in range(12):  # 64 MiB for each of two arguments
            (result,) = bench.measure([module(large, factor=2, size=2**24 + extra)])
            assert not result.error
        status = Path(f"/proc/{bench.runner_pids[0]}/status").read_text()
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    assert int(peak) < 2**20  # KiB


def test_hundreds_of_candidates_leave_nothing_behind(target, tmp_path):
    """Threads, handles and memory of this process stay what they were; so does the scratch."""
    process = psutil.Process()
    crash = module(WRITES_ELSEWHERE)

    def state():
        gc.collect()  # what earlier tests left to be collected is not this one's
        handles = [p.readlink() for p in Path("/proc/self/fd").iterdir() if p.is_symlink()]
        kinds = Counter(str(handle).split(":")[0] for handle in handles)
        return threading.active_count(), kinds

    with Bench(target, 1, settings(build_workers=2, min_repeat_ms=0), tmp_path) as bench:
        for some in ([crash], [module(GOOD, factor=2), module(GOOD, factor=3)]):
            bench.measure(some)
        before, resident = state(), process.memory_info().rss
        children = len(process.children(recursive=True))
        for batch in range(10):
            some = [module(GOOD, factor=4 + batch * 20 + i) for i in range(20)]
            if batch in (3, 7):
                some[5] = crash
            results = bench.measure(some)
            assert sum(bool(one.error) for one in results) == (batch in (3, 7))
        assert state() == before
        assert len(process.children(recursive=True)) == children
        assert process.memory_info().rss - resident < 64 * 1024**2
    assert list(tmp_path.iterdir()) == []
    assert not Path(f"/proc/{bench.runner_pids[0]}").exists()
