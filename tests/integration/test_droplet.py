"""Droplet search on a made-up machine, killed and resumed, and on a real one that fails it."""

import csv
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from conftest import MEASURE, ROOT
from onnx_text import model_of
from rivulet.droplet import DropletSettings, read_source
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.settle import settle_all
from rivulet.graph.prepare import prepare_model
from rivulet.kernels import load_kernels, save_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.measure.bench import Bench
from rivulet.measure.protocol import Measurement
from rivulet.measure.replay import RecordedTable, ReplayBench
from rivulet.measure.surrogate import LoopSurrogate
from rivulet.records import TuningLog
from rivulet.records.files import FILES, TRIALS
from rivulet.records.journal import publish
from rivulet.records.log import record_latency
from rivulet.records.stored import log_trials, read_log
from rivulet.records.thinned import open_thinned
from rivulet.tuning.recorder import Recorder
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.names import candidate_name, measured_schedule
from rivulet.tvm_compat.traces import Postprocessing, decisions, replay
from tuning_runs import run_droplet, run_search

LOGGER = logging.getLogger("test")
PLENTY = 4000


def quiet(*_):
    pass


def settings(trials=PLENTY, seed=1, starts=2):
    return DropletSettings(seed, trials, 0.05, 6, 8, starts, 1e-3)


def simulated(target):
    return ReplayBench(surrogate=LoopSurrogate(target, 1))


def refine(kernels, target, source, folder, how=None, bench=None, report=quiet, comparable=True):
    """Refine a log, or go on with what is in the folder; returns the descents and the rows."""
    log = TuningLog.resume(folder / "walk", LOGGER)
    known = read_source(source, kernels, folder, comparable, logger=LOGGER)
    descents = run_droplet(
        kernels, target, how or settings(), known, log, bench or simulated(target), report=report
    )
    return descents, log.trials


def decided(trials):
    """What was decided and told; everything but the clock."""
    return [
        [t.trial, t.batch, t.kernel, t.strategy, t.candidate, t.samples_us, t.error, t.best_us,
         t.model_ms]
        for t in trials
    ]  # fmt: skip


def fresh(trials):
    """The new candidates among some rows."""
    return [(t.kernel, t.candidate) for t in trials if t.strategy == "droplet"]


@pytest.fixture(scope="module")
def few(target, tmp_path_factory):
    """Kernels with small neighbourhoods, in which there are better schedules: a mean over pixels,
    a product of matrices and a softmax."""
    path = tmp_path_factory.mktemp("few") / "few.onnx"
    graph = """g (float[1, 8, 3, 3] x) => (float[1, 12] y) {
        p = GlobalAveragePool (x) f = Flatten (p) m = MatMul (f, w) y = Softmax <axis = 1> (m)
    }"""
    weight = np.random.default_rng(0).random((8, 12), np.float32)
    onnx.save(model_of(graph, w=weight), str(path))
    found = extract_kernels(prepare_model(path, target), target)
    assert [kernel.kind for kernel in found] == ["mean", "matmul", "softmax"]
    return found


@pytest.fixture(scope="module")
def source(few, target, tmp_path_factory):
    """A log to refine, searched on the made-up machine."""
    folder = tmp_path_factory.mktemp("source")
    log = TuningLog(folder)
    run_search(few, target, 24, log, simulated(target))
    return folder


@pytest.fixture(scope="module")
def whole(few, target, source, tmp_path_factory):
    """Descents with plenty of trials, never interrupted, their rows and the folder of both."""
    folder = tmp_path_factory.mktemp("whole")
    return *refine(few, target, source, folder), folder


# --- What is measured ----------------------------------------------------------------------------
def test_with_plenty_of_trials_every_kernel_comes_to_a_local_optimum(few, target, source, tmp_path):
    descents, rows = refine(few, target, source, tmp_path, settings(starts=1))
    assert 0 < len(fresh(rows)) < PLENTY
    assert sum(descent.moves for descent in descents) > 0
    seen = {*fresh(rows), *((t.kernel, t.candidate) for t in log_trials(source))}
    for descent in descents:
        assert descent.finished
        assert descent.latency <= descent.log_latency
        assert (descent.latency < descent.log_latency) == (descent.moves > 0)
        around, best = descent._space, candidate_name(descent.best.mod)
        values = {d.index: d.value for d in decisions(descent.best.trace)}
        optimum = tuple(values[d.index] for d in around.structure.decisions)
        neighbours = [around.space.after(optimum, [step]) for step in around.space.steps(optimum)]
        assert neighbours
        for one in around.apply(neighbours):
            assert one.name == best or (descent.kernel.task, one.name) in seen


def test_nothing_is_measured_twice_and_nothing_that_the_log_has(whole, source):
    own = fresh(whole[1])
    assert len(own) == len(set(own)) > 20
    assert not set(own) & {(t.kernel, t.candidate) for t in log_trials(source)}
    assert {t.strategy for t in whole[1]} == {"droplet", "droplet-confirm"}
    for descent in whole[0]:
        assert descent.trials == sum(kernel == descent.kernel.task for kernel, _ in own)


@pytest.mark.parametrize("trials", [0, 1, 13])
def test_the_budget_is_kept_and_cuts_off_what_more_would_have_done(
    few, target, source, whole, tmp_path, trials
):
    told = []
    descents, rows = refine(
        few, target, source, tmp_path, settings(trials), report=lambda done, _: told.append(done)
    )
    assert len(fresh(rows)) == trials == max(told, default=0)
    assert not all(descent.finished for descent in descents)
    last = max((row.batch for row in rows if row.strategy == "droplet"), default=0)
    before = decided(row for row in rows if row.batch < last)
    assert before == decided(whole[1])[: len(before)]


def test_a_seed_repeats_everything(few, target, source, whole, tmp_path):
    _, rows = refine(few, target, source, tmp_path / "again")
    assert decided(rows) == decided(whole[1])


def test_samples_in_turns_are_new_ones_each_time(whole):
    taken = [(t.candidate, t.samples_us) for t in whole[1] if t.strategy == "droplet-confirm"]
    in_turns = [one for one in taken if len(json.loads(one[1])) > 3]
    assert len(in_turns) == len(set(in_turns)) > 20


def test_the_standing_is_told_and_in_the_rows(whole, few):
    descents, rows, _ = whole
    sums = [float(row.model_ms) for row in rows]
    assert sums == sorted(sums, reverse=True)
    expected = sum(d.kernel.weight * d.latency for d in descents) * 1e3
    assert sums[-1] == pytest.approx(expected, abs=1e-6)
    for kernel in few:
        bests = [float(row.best_us) for row in rows if row.kernel == kernel.task]
        assert bests == sorted(bests, reverse=True)


def test_times_that_do_not_compare_are_not_used_but_neither_measured_again(
    few, target, source, whole, tmp_path
):
    before = {(t.kernel, t.candidate): t for t in log_trials(source)}
    known = read_source(source, few, tmp_path, True, logger=LOGGER)
    other = read_source(source, few, tmp_path, False, logger=LOGGER)
    for kernel in few:
        ours, theirs = known[kernel.task], other[kernel.task]
        assert set(ours.known) == set(theirs.known)
        assert ours.known == {
            name: pytest.approx(trial.median_us * 1e-6)
            for (task, name), trial in before.items()
            if task == kernel.task
        }
        assert set(theirs.known.values()) == {math.inf}
        assert ours.known
        times = [record_latency(record) for record in ours.records]
        assert times == sorted(times)
        assert times[0] * 1e6 == pytest.approx(
            min(t.median_us for (k, _), t in before.items() if k == kernel.task)
        )
    _, rows = refine(few, target, source, tmp_path, comparable=False)
    assert not set(fresh(rows)) & set(before)


def test_only_the_log_that_is_refined_says_where_a_kernel_begins(few, target, source, tmp_path):
    first, second = TuningLog(tmp_path / "first"), few[0]
    (record,) = TuningLog(source).best_records(second, 1)
    first.commit(second, record.trace, 1.0, target, arguments=record.args_info)
    first.append([])
    found = read_source(first.folder, few, tmp_path, True, logger=LOGGER, others=[source])
    assert record_latency(found[second.task].records[0]) == 1.0
    assert len(found[second.task].records) > 1
    assert found[second.task].known
    for kernel in few[1:]:
        assert found[kernel.task].records == ()
    descents, rows = refine(few, target, first.folder, tmp_path)
    for descent in descents[1:]:
        assert (descent.begun, descent.trials, descent.finished) == (None, 0, True)
    assert {row.kernel for row in rows} == {second.task}


# --- Interruptions -------------------------------------------------------------------------------
class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 12, 25])
def test_a_descent_that_was_cut_off_between_rounds_ends_as_if_it_had_not_been(
    few, target, source, whole, tmp_path, after
):
    def kill(done, _):
        if done >= after:
            raise Killed

    with pytest.raises(Killed):
        refine(few, target, source, tmp_path, report=kill)
    left = log_trials(tmp_path / "walk")
    assert after <= len(fresh(left)) < len(fresh(whole[1]))
    told = []
    descents, rows = refine(few, target, source, tmp_path, report=lambda done, _: told.append(done))
    assert decided(rows) == decided(whole[1])
    assert decided(log_trials(tmp_path / "walk")) == decided(whole[1])
    assert [d.latency for d in descents] == [d.latency for d in whole[0]]
    assert told[-1] == len(fresh(rows))
    elapsed = [row.elapsed_s for row in rows]
    assert elapsed == sorted(elapsed)


def test_running_again_on_the_record_is_no_measuring_time(whole):
    log = TuningLog(whole[2] / "walk")
    recorded = Recorder(log, LOGGER)
    recorded.replay()
    time.sleep(0.05)
    assert recorded.replaying
    assert recorded.elapsed == log.elapsed()


def calls(trials):
    """Rows of each answer of the bench: a look's begin with the incumbent."""
    found = []
    for row in trials:
        same = found and found[-1][-1].batch == row.batch
        if same and row.strategy == "droplet":
            found[-1].append(row)
        else:
            found.append([row])
    return found


def written(whole, folder):
    """Lines of ``trials.csv`` as an earlier version wrote it, in the folder of a walk."""
    publish(whole[2] / "walk", folder / "walk")
    return (folder / "walk" / TRIALS).read_text().splitlines(keepends=True)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("middle", [False, True], ids=["between answers", "within an answer"])
def test_a_kill_in_the_middle_of_a_write_costs_what_was_not_written(
    few, target, source, whole, tmp_path, place, middle, caplog
):
    """A round is written at once; a kill of an earlier version may have left any part of it."""
    rows = whole[1]
    looks = [answer for answer in calls(rows) if len(answer) > 2]
    answer = looks[int(place * len(looks))]
    # The rows before this one are there, and a part of it.
    number = answer[len(answer) // 2 if middle else 0].trial
    lines = written(whole, tmp_path)
    cut_off = "".join(lines[:number]) + lines[number][:-9]
    (tmp_path / "walk" / TRIALS).write_text(cut_off)
    _, resumed = refine(few, target, source, tmp_path)
    own = fresh(resumed)
    assert len(own) == len(set(own))
    assert decided(resumed) == decided(rows)
    assert "goes another way" not in caplog.text


def test_a_process_that_is_killed_goes_on_in_another(few, target, source, whole, tmp_path):
    save_kernels(few, tmp_path / "kernels.csv", tmp_path / "kernels.gz")
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(Path(__file__).parent)]
    code = "import sys, test_droplet as t; t.refine_from_files(*sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(source)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "77"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path, end = tmp_path / "walk", time.monotonic() + 60
    while len(log_trials(path)) < 20:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    left = decided(log_trials(path))
    assert 0 < len(left) < len(whole[1])
    assert left == decided(whole[1])[: len(left)]
    _, rows = refine(few, target, source, tmp_path)
    assert decided(rows) == decided(whole[1])


def refine_from_files(folder, source):
    """A descent that takes its time, for the test above to kill."""
    from rivulet.hardware import Device
    from rivulet.hardware.target import resolve_target

    folder, target = Path(folder), resolve_target(Device("local", "auto", 1))
    kernels = load_kernels(folder / "kernels.gz")
    refine(kernels, target, Path(source), folder, report=lambda *_: time.sleep(0.1))


@pytest.mark.parametrize("change", ["another candidate", "a row lost", "another kernel's budget"])
def test_a_log_that_goes_another_way_is_used_up_and_not_measured_again(
    few, target, source, whole, tmp_path, change, caplog
):
    rows = list(whole[1])
    place = next(i for i in range(len(rows) // 2, len(rows)) if rows[i].strategy == "droplet")
    lines = written(whole, tmp_path)
    if change == "another candidate":
        lines[1 + place] = lines[1 + place].replace(rows[place].candidate, "0123456789abcdef")
    elif change == "a row lost":
        del lines[1 + place]
    else:
        lines = lines[:1] + lines[1 + place // 2 :]
    (tmp_path / "walk" / TRIALS).write_text("".join(lines))
    had = fresh(log_trials(tmp_path / "walk"))
    descents, resumed = refine(few, target, source, tmp_path)
    assert caplog.text.count("the log goes another way from trial") == 1
    assert all(descent.finished for descent in descents)
    own = fresh(resumed)
    assert own[: len(had)] == had
    assert len(own) == len(set(own))
    # And again: what has been added is known as well.
    count = len(resumed)
    again = refine(few, target, source, tmp_path)[1]
    assert len(fresh(again)) == len(set(fresh(again)))
    assert len(fresh(again)) == len(own) or len(again) > count


def test_what_a_log_has_counts_towards_the_budget_whichever_way_it_goes(
    few, target, source, whole, tmp_path
):
    had = 12
    last = [row.trial for row in whole[1] if row.strategy == "droplet"][had - 1]
    lines = written(whole, tmp_path)
    # Without its first row none of the log is what the descent asks for.
    (tmp_path / "walk" / TRIALS).write_text("".join(lines[:1] + lines[2 : last + 1]))
    assert len(fresh(log_trials(tmp_path / "walk"))) == had
    _, rows = refine(few, target, source, tmp_path, settings(had + 3))
    assert len(fresh(rows)) == had + 3


# --- Failures ------------------------------------------------------------------------------------
REASONS = (
    "build error: no such function", "build timeout: no result within 2 s",
    "build out of memory: it needs more than 4 GiB", "build crash: ended by SIGSEGV",
    "run crash: the process was ended by SIGSEGV", "run timeout: no result within 1 s",
    "run out of memory: it needs more than 4 GiB", "run error: it cannot be loaded",
)  # fmt: skip


class Brittle(ReplayBench):
    """A made-up machine that cannot run two thirds of all candidates, or not in turns.

    Attributes:
        spared: Names of candidates that run.
        reasons: Why which candidate does not.
    """

    spared, reasons = frozenset(), None

    def _fate(self, module):
        name = candidate_name(module)
        return 0 if name in self.spared else int(name, 16) % 3

    def measure(self, modules, best=None, groups=None):
        results = super().measure(modules, best, groups)
        return [
            Measurement((), self._reason(module)) if self._fate(module) == 1 else result
            for module, result in zip(modules, results, strict=True)
        ]

    def measure_interleaved(self, modules, rounds, seed):
        failing = [module for module in modules if self._fate(module)]
        if failing:
            return [Measurement((), self._reason(failing[0]))] * len(modules)
        return super().measure_interleaved(modules, rounds, seed)

    def _reason(self, module):
        return self.reasons.setdefault(
            candidate_name(module), REASONS[len(self.reasons) % len(REASONS)]
        )


def test_candidates_that_fail_in_whatever_way_stop_nothing(few, target, source, tmp_path):
    bench = Brittle(surrogate=LoopSurrogate(target, 1))
    bench.spared, bench.reasons = {t.candidate for t in log_trials(source)}, {}
    descents, rows = refine(few, target, source, tmp_path, bench=bench)
    assert all(descent.finished for descent in descents)
    errors = {t.candidate: t.error for t in rows if t.error and t.strategy == "droplet"}
    assert errors == {name: bench.reasons[name] for name in errors}
    assert {t.error for t in rows} == {"", *REASONS}
    own = fresh(rows)
    assert len(errors) < len(own) == len(set(own))
    in_turns = [t for t in rows if t.error and t.strategy == "droplet-confirm"]
    assert in_turns
    assert sum(descent.moves for descent in descents) > 0
    for descent in descents:
        # What is best now is what runs, alone and in turns.
        assert bench._fate(descent.best.mod) == 0
        assert (descent.best is descent.begun) == (descent.moves == 0)


HEADER = """
# from tvm.script import ir as I
# from tvm.script import tirx as T
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer(({size},), "float32"), B: T.Buffer(({size},), "float32")):
"""
BLOCK = (
    HEADER
    + """
        for i in T.{loop}({size}):
            with T.sblock("b"):
                v = T.axis.spatial({size}, i)
                B[v] = {value}
"""
)
LARGE = (
    HEADER
    + """
        C = T.sblock_alloc_buffer((T.int64(536870912),), "float32")
        for i in T.serial(T.int64(0), T.int64(536870912)):
            with T.sblock("fill"):
                v = T.axis.spatial(T.int64(536870912), i)
                C[v] = A[0] + T.Cast("float32", v)
        for i in T.serial(T.int64(0), T.int64(536870912)):
            with T.sblock("add"):
                v = T.axis.reduce(T.int64(536870912), i)
                B[0] = B[0] + C[v] * C[T.int64(536870911) - v]
"""
)


def module(source, size=1, loop="serial", value=""):
    return load_tvm().script.from_source(source.format(size=size, loop=loop, value=value))


def calling(function):
    return module(BLOCK, value=f'A[v] + T.call_extern("float32", "{function}")')


BAD = {
    "run error: ": lambda: calling("no_such_function_anywhere"),
    "run crash: the process was ended by SIGABRT": lambda: calling("abort"),
    "run timeout: no result within 1 s": lambda: calling("pause"),
    "run out of memory: ": lambda: module(LARGE),
    "build timeout: no result within 2 s": lambda: module(
        BLOCK, 4194304, "unroll", "T.exp(A[v]) * T.float32(2) + A[4194303 - v]"
    ),
}


class Sabotaged(Bench):
    """A bench on which the first new candidates turn into others that cannot be built or run.

    Attributes:
        bad: What they turn into.
        spared: Names of candidates that stay.
        turned: Name of each that was turned to what it has become.
    """

    bad, spared, turned = (), frozenset(), None

    def measure(self, modules, best=None, groups=None):
        return super().measure([self._turn(m) for m in modules], best, groups)

    def measure_interleaved(self, modules, rounds, seed):
        return super().measure_interleaved([self._turn(m) for m in modules], rounds, seed)

    def _turn(self, module):
        name = candidate_name(module)
        if name not in self.spared and name not in self.turned and len(self.turned) < len(self.bad):
            self.turned[name] = self.bad[len(self.turned)]
        return self.turned.get(name, module)


def test_a_real_bench_takes_crashes_hangs_and_hunger_of_neighbours(few, target, source, tmp_path):
    kernel = few[0]
    measure = {
        **MEASURE, "run_timeout_s": 1.0, "build_timeout_s": 2.0, "worker_memory_gib": 1.5,
        "build_workers": 1,
    }  # fmt: skip
    (tmp_path / "bench").mkdir()
    with Sabotaged(target, 1, measure, tmp_path / "bench", keep_built=True) as bench:
        bench.bad, bench.turned = [make() for make in BAD.values()], {}
        bench.spared = {t.candidate for t in log_trials(source)}
        descents, rows = refine(
            [kernel], target, source, tmp_path, settings(12), bench, comparable=False
        )
    errors = {t.candidate: t.error for t in rows if t.strategy == "droplet" and t.error}
    assert set(errors) == set(bench.turned)
    for (name, _), reason in zip(bench.turned.items(), BAD, strict=True):
        assert errors[name].startswith(reason)
    own = fresh(rows)
    assert len(BAD) < len(own) == len(set(own)) <= 12
    assert max(t.batch for t in rows) > 1
    assert all(t.samples for t in rows if not t.error)
    assert descents[0].best is not None
    assert candidate_name(descents[0].best.mod) not in bench.turned
    if not descents[0].moves:
        assert descents[0].best is descents[0].begun


# --- The last word -------------------------------------------------------------------------------
PLANE = """
# from tvm.script import ir as I
# from tvm.script import tirx as T
@I.ir_module
class Module:
    @T.prim_func(s_tir=True)
    def main(A: T.Buffer((512, 512), "float32"), B: T.Buffer((512, 512), "float32")):
        for {loops} in T.grid(512, 512):
            with T.sblock("b"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = {value}
"""


def plane(loops, value):
    return load_tvm().script.from_source(PLANE.format(loops=loops, value=value))


def descended(begun, best, **changes):
    """A descent that has come to its end."""
    known = {"log_latency": 1e-3, "moves": 1, "trials": 5, "finished": True}
    return SimpleNamespace(
        kernel=SimpleNamespace(task="k", weight=2), begun=begun and SimpleNamespace(mod=begun),
        best=best and SimpleNamespace(mod=best), **{**known, **changes},
    )  # fmt: skip


class Watched(Bench):
    """A bench that tells which processes have compared and which have timed."""

    compared, timed = (), ()

    def compare(self, *arguments):
        self.compared = (*self.compared, *self.runner_pids)
        return super().compare(*arguments)

    def measure_interleaved(self, *arguments):
        self.timed = (*self.timed, *self.runner_pids)
        return super().measure_interleaved(*arguments)


def test_a_winner_is_taken_only_if_it_is_right_and_runs_and_is_faster_still(target, tmp_path):
    slow, fast = (plane(loops, "A[vi, vj] * T.float32(2)") for loops in ("j, i", "i, j"))
    wrong = plane("i, j", "A[vi, vj] * T.float32(3)")
    nan = plane("i, j", "T.sqrt(A[vi, vj] - T.float32(9))")
    crash = plane("i, j", 'A[vi, vj] + T.call_extern("float32", "abort")')
    unlinked = plane("i, j", 'A[vi, vj] + T.call_extern("float32", "no_such_function_anywhere")')
    told = []
    with Watched(target, 1, MEASURE, tmp_path, keep_built=True) as bench:
        found = settle_all(
            [descended(slow, best) for best in (fast, wrong, nan, crash, unlinked)]
            + [descended(fast, slow, finished=False), descended(None, None)],
            settings(), bench, told.append, logger=LOGGER,
        )  # fmt: skip
    taken, *others = found
    assert (taken.row.taken, taken.row.reason) == ("yes", "")
    assert taken.winner < taken.start
    low, gain, high = (float(getattr(taken.row, f"gain{x}")) for x in ("_low", "", "_high"))
    assert 1 < low <= gain <= high
    assert gain == pytest.approx(float(taken.row.start_us) / float(taken.row.winner_us), rel=1e-3)
    # In two processes that have run nothing before.
    assert len(set(bench.timed)) == 2
    assert not set(bench.timed) & set(bench.compared)
    assert len(told) == 1
    assert [(one.row.taken, one.winner) for one in others] == [("no", None)] * len(others)
    reasons = [one.row.reason for one in others]
    assert reasons[0].startswith("the output differs from that of the log's best by ")
    assert reasons[1].startswith("the output differs from that of the log's best by ")
    assert reasons[2].startswith("the output check failed: crash: ")
    assert "no_such_function_anywhere" in reasons[3]
    assert reasons[4] == "measured again, it is not faster"
    assert float(others[4].row.gain) < 1
    assert reasons[5] == "the log has no schedule of it that can be applied"
    ended = [one.row.ended for one in found]
    assert ended == ["local optimum"] * 5 + ["budget", ""]


def test_a_winner_that_fails_in_the_last_measurement_is_not_taken(target):
    slow, fast = (plane(loops, "A[vi, vj] * T.float32(2)") for loops in ("j, i", "i, j"))
    rows = [
        SimpleNamespace(candidate=candidate_name(one), samples_us=samples, error=error, build_s=0.0,
                        run_s=0.0)
        for one, samples, error in ((slow, "[3.0, 3.1]", ""), (fast, "[]", REASONS[4]))
    ]  # fmt: skip
    bench = ReplayBench(RecordedTable(rows))
    (one,) = settle_all([descended(slow, fast)], settings(), bench, quiet, logger=LOGGER)
    assert (one.row.taken, one.row.reason, one.winner) == ("no", REASONS[4], None)
    unmoved = descended(slow, slow)
    unmoved.best = unmoved.begun
    (same,) = settle_all([unmoved], settings(), None, quiet, logger=LOGGER)
    assert same.row.reason == "nothing was significantly faster"


# --- The log of both -----------------------------------------------------------------------------
@pytest.fixture(scope="module", params=[0.5, 1.5], ids=["too fast", "too slow"])
def combined(request, few, target, source, tmp_path_factory):
    """A log with claims that no measurement bears out, refined, settled, combined.

    The first kernel is left as it is, for want of a budget, and is the last of the settled ones.
    """
    folder = tmp_path_factory.mktemp("combined")
    claims = TuningLog(folder / f"claims-{request.param}")
    for kernel in few:
        records = TuningLog(source).best_records(kernel, 99)
        for place, record in enumerate(records):
            claimed = record_latency(records[0]) * (request.param + 0.2 * place)
            claims.commit(kernel, record.trace, claimed, target, arguments=record.args_info)
    claims.append([])
    descents, rows = refine(few[1:], target, claims.folder, folder)
    unmoved, _ = refine(few[:1], target, claims.folder, folder / "unmoved", settings(0))
    settled = settle_all([*descents, *unmoved], settings(), simulated(target), quiet, logger=LOGGER)
    place = folder / "out"
    for _ in range(2):  # what a cut-off attempt has left is overwritten
        combine_logs(
            settled, target, claims.folder, rows, scratch=folder, combined=place, logger=LOGGER
        )
    return settled, claims, place


@pytest.fixture
def records_of(tmp_path):
    def opened(folder, kernel):
        return open_thinned(read_log(folder), tmp_path / "opened", 999).best_records(kernel, 999)

    return opened


def test_the_winner_is_the_best_of_the_combined_log_with_its_last_time(
    combined, target, records_of
):
    from tvm.s_tir import meta_schedule as ms

    settled, _, place = combined
    stock = ms.database.JSONDatabase(work_dir=str(place), allow_missing=False)
    assert sum(one.winner is not None for one in settled) >= 1
    for one in settled:
        kernel = one.descent.kernel
        best = stock.query_tuning_record(kernel.module, target, "main")
        if one.winner is None:
            continue
        assert record_latency(best) == one.winner
        assert candidate_name(measured_schedule(best).mod) == candidate_name(one.descent.best.mod)
        times = {
            candidate_name(measured_schedule(record).mod): record_latency(record)
            for record in records_of(place, kernel)
        }
        assert times[candidate_name(one.descent.begun.mod)] == one.start
        replay(kernel.module, best.trace, Postprocessing(kernel.module, target))


def test_records_that_claim_less_are_left_out_where_there_is_a_winner_only(combined, records_of):
    settled, claims, place = combined
    left_out = 0
    for one in settled:
        kernel = one.descent.kernel
        before = [record_latency(record) for record in claims.best_records(kernel, 999)]
        after = [record_latency(record) for record in records_of(place, kernel)]
        if one.winner is None:
            assert after == before
            continue
        kept = [seconds for seconds in before[1:] if seconds > one.winner]
        assert after == sorted([one.winner, one.start, *kept])
        left_out += len(before) - 1 - len(kept)
    assert (left_out > 0) == (claims.folder.name == "claims-0.5")
    assert settled[-1].winner is None


def test_the_combined_log_has_the_descents_trials_and_nothing_else(combined):
    _, _, place = combined
    assert sorted(path.name for path in place.iterdir()) == sorted(FILES)
    assert log_trials(place) == log_trials(place.parent / "walk")
    with (place / TRIALS).open(newline="") as stream:
        assert all(json.loads(row["samples_us"]) for row in csv.DictReader(stream))


def test_without_a_descent_the_combined_log_is_the_log(few, target, source, tmp_path, records_of):
    combine_logs([], target, source, [], scratch=tmp_path, combined=tmp_path / "out", logger=LOGGER)
    for kernel in few:
        before, after = (
            [(candidate_name(measured_schedule(r).mod), record_latency(r)) for r in some]
            for some in (records_of(source, kernel), records_of(tmp_path / "out", kernel))
        )
        assert after == before
