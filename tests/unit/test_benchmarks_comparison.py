"""The comparison's figures, plan and bookkeeping; no search runs here."""

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import search as command  # noqa: E402
from comparison.figures import geometric_mean, rate_ratio  # noqa: E402
from comparison.histories import (  # noqa: E402
    History,
    MeasuredTrial,
    net_rate,
    ratios_at_equal_time,
)
from comparison.launch import MemoryPeaks, count_left_over, execute  # noqa: E402
from comparison.output import QUICK_NOTE, table_lines  # noqa: E402
from comparison.plan import Conditions, Planner, peer_batch  # noqa: E402
from comparison.run import RESULT, Run, Store  # noqa: E402
from comparison.script import last_json_object  # noqa: E402
from comparison.sections import Comparison, summary  # noqa: E402
from comparison.workfolder import RUNS, work_folder  # noqa: E402
from rivulet.errors import UserError  # noqa: E402
from rivulet.hardware import Device  # noqa: E402
from rivulet.measure.ratios import KernelSamples, latency_ratio  # noqa: E402


# --- Figures -----------------------------------------------------------------------------------
def test_a_rate_ratio_pairs_neighbouring_runs_and_spans_all_of_them():
    # The machine was half as fast during the second pair: the pairs' ratios do not see it.
    ratio = rate_ratio([3.0, 1.5], [2.0, 1.0])
    assert ratio.value == pytest.approx(1.5)
    assert (ratio.low, ratio.high) == (pytest.approx(0.75), pytest.approx(3.0))


def test_one_pair_of_runs_has_a_ratio_without_spread():
    assert rate_ratio([3.0], [2.0]) == rate_ratio([1.5], [1.0])
    assert rate_ratio([3.0], [2.0]).low == rate_ratio([3.0], [2.0]).high == 1.5


def test_geometric_mean_of_opposite_ratios_is_one():
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)


def test_a_latency_ratio_weighs_kernels_and_takes_medians():
    kernels = [
        KernelSamples(3, [1.0, 1.0, 90.0], [2.0, 2.0, 2.0]),  # 90 is one disturbed sample
        KernelSamples(1, [5.0, 5.0, 5.0], [2.0, 2.0, 2.0]),
    ]
    assert latency_ratio(kernels, 0.95, 200, 0).value == pytest.approx((3 + 5) / (6 + 2))


def test_the_interval_of_equal_schedules_holds_one_and_is_the_same_each_time():
    generator = random.Random(7)
    kernels = [
        KernelSamples(
            weight,
            [generator.gauss(1.0, 0.05) for _ in range(12)],
            [generator.gauss(1.0, 0.05) for _ in range(12)],
        )
        for weight in (1, 2, 4)
    ]
    ratio = latency_ratio(kernels, 0.95, 2000, 1)
    assert ratio.low < 1 < ratio.high
    assert ratio.low < ratio.value < ratio.high
    assert ratio == latency_ratio(kernels, 0.95, 2000, 1)


def test_a_disturbance_of_whole_rounds_does_not_widen_the_interval():
    slow = [1.0, 3.0, 2.0, 1.5, 1.0, 4.0]
    kernels = [KernelSamples(1, slow, [2 * sample for sample in slow])]
    ratio = latency_ratio(kernels, 0.95, 500, 3)
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


# --- Histories ---------------------------------------------------------------------------------
TRIALS = [
    MeasuredTrial(20.0, "b", 3.0),
    MeasuredTrial(10.0, "a", 4.0),
    MeasuredTrial(15.0, "a", None),  # failed
    MeasuredTrial(30.0, "a", 6.0),  # slower than the best
    MeasuredTrial(40.0, "a", 1.0),
]
WEIGHTS, UNTUNED = {"a": 2, "b": 1}, {"a": 50.0, "b": 30.0}


def test_a_history_counts_kernels_untuned_until_they_have_a_schedule():
    history = History(TRIALS, WEIGHTS, UNTUNED)
    assert history.latency(0.0) == 130.0
    assert history.latency(9.99) == 130.0
    assert history.latency(10.0) == 38.0
    assert history.latency(19.0) == 38.0
    assert history.latency(20.0) == 11.0
    assert history.latency(39.0) == 11.0
    assert history.latency(1e9) == 5.0
    assert history.end == 40.0


def test_a_search_without_a_trial_stays_untuned():
    history = History([], WEIGHTS, UNTUNED)
    assert (history.end, history.latency(100.0)) == (0.0, 130.0)


def test_equal_time_is_measured_in_the_shorter_search():
    ours = History(TRIALS, WEIGHTS, UNTUNED)
    peer = History([MeasuredTrial(1000.0, "a", 1.0)], WEIGHTS, UNTUNED)
    # After 10, 20 and 40 seconds the peer has nothing yet.
    assert ratios_at_equal_time(ours, peer, [0.25, 0.5, 1.0]) == {
        0.25: 38 / 130, 0.5: 11 / 130, 1.0: 5 / 130,
    }  # fmt: skip


def test_the_net_rate_leaves_the_start_up_out():
    assert net_rate(TRIALS) == pytest.approx(4 / 30)


# --- Plan --------------------------------------------------------------------------------------
def conditions(seed=42, **search):
    return Conditions(
        Device("local", "auto", 2), {"batch_size": 16, "seed": 42, **search},
        {"repeats": 3, "min_repeat_ms": 20}, {"samples": 30, "confidence": 0.95}, seed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "kernels", "batch"), [(640, 19, 16), (20, 71, 1), (5000, 19, 64), (10, 0, 5)]
)
def test_the_peers_batch_gives_every_kernel_trials(trials, kernels, batch):
    assert peer_batch(trials, kernels) == batch
    assert peer_batch(trials, kernels) <= 64


def test_a_run_is_another_one_when_anything_that_it_depends_on_differs():
    planner = Planner(conditions())
    base = planner.ours("resnet18", 224, 640, 42)
    others = [
        planner.ours("resnet18", 224, 640, 43),
        planner.ours("resnet18", 64, 640, 42),
        planner.ours("resnet18", 224, 640, 42, repeat=2),
        planner.peer("resnet18", 224, 640, 42, 16),
        planner.peer("resnet18", 224, 640, 42, 64),
        Planner(conditions(batch_size=8)).ours("resnet18", 224, 640, 42),
    ]
    names = [run.name for run in (base, *others)]
    assert len(set(names)) == len(names)
    assert Planner(conditions()).ours("resnet18", 224, 640, 42).name == base.name


def test_our_search_settings_do_not_make_the_peers_runs_stale():
    peers = [
        Planner(one).peer("resnet18", 224, 640, 42, 16)
        for one in (conditions(), conditions(batch_size=8))
    ]
    assert peers[0].name == peers[1].name


def test_searches_that_are_compared_time_candidates_alike_and_others_as_configured():
    planner = Planner(
        replace(conditions(), measure={"repeats": 3, "cold_weights": True, "cache_flush": False})
    )
    ours = planner.ours("resnet18", 224, 640, 42)
    peer = planner.peer("resnet18", 224, 640, 42, 16)
    own = planner.own("resnet18", 224, 640, 42)
    assert ours.spec["measure"] == peer.spec["measure"]
    assert ours.spec["measure"]["cold_weights"] is False
    assert own.spec["measure"]["cold_weights"] is True
    assert own.name != ours.name
    assert planner.remeasured(ours, peer, 6).spec["measure"] == ours.spec["measure"]


def kept_stub(run):
    return {"result": {"kernels": {f"kernel{n}": 1 for n in range(19)}, "inputs": []}}


def comparison_of(*arguments):
    options = command.options_of(command.parse(list(arguments)))
    return options, Comparison(options, conditions(options.seeds[0]), kept_stub)


def test_both_sides_take_turns_and_quality_uses_their_runs_again():
    _, comparison = comparison_of("--sections", "throughput", "quality")
    runs = comparison.runs()
    assert [run.program for run in runs[:5]] == ["ours", "peer", "ours", "peer", "peer"]
    assert [run.spec.get("batch") for run in runs[:5]] == [None, 16, None, 16, 64]
    assert runs[5].program == "remeasure"
    assert (runs[5].spec["ours"], runs[5].spec["peer"]) == (runs[0].name, runs[1].name)
    searches = [run for run in runs if run.program in ("ours", "peer")]
    assert len(searches) == 5 + 2 * 5  # three models, two seeds, of which one pair is there
    assert len({run.name for run in runs}) == len(runs)


def test_sections_need_only_their_own_runs():
    _, comparison = comparison_of("--sections", "onnxruntime", "--models", "alexnet", "resnet50")
    assert [run.program for run in comparison.runs()] == ["ours", "whole_model"] * 2
    assert [run.spec["model"] for run in comparison.preparations()] == ["alexnet", "resnet50"]
    _, comparison = comparison_of("--sections", "first_trial")
    assert [run.program for run in comparison.runs()] == ["ours", "peer"]


def test_growth_runs_where_its_script_is_with_the_settings_of_the_other_searches(
    tmp_path, monkeypatch
):
    script = tmp_path / "batch_cost.py"
    monkeypatch.setattr("comparison.sections.GROWTH_SCRIPT", script)
    _, comparison = comparison_of("--sections", "growth")
    assert comparison.runs() == []
    assert "is not there" in comparison.figures()["growth"]["missing"]
    script.write_text("print({})")
    (run,) = comparison.runs()
    given = dict(zip(run.spec["arguments"][::2], run.spec["arguments"][1::2], strict=True))
    assert (given["--trials"], given["--threads"]) == ("5000", "2")
    assert json.loads(given["--settings"])["batch_size"] == 16
    script.write_text("print({'changed': 1})")
    assert comparison.runs()[0].name != run.name


def test_quick_changes_defaults_and_not_what_was_asked_for():
    options, _ = comparison_of("--quick", "--trials", "77", "--no-stock-batch")
    full, _ = comparison_of("--no-stock-batch")
    assert options.quick
    assert options.trials == 77
    assert options.throughput_trials < full.throughput_trials
    assert options.quality_trials < full.quality_trials
    assert not full.stock_batch


# --- Summary and table -------------------------------------------------------------------------
FIGURES = {
    "throughput": {
        "runs": {
            side: [
                {"trials": 640, "failed": 3, "kernels": 19, "wall_s": 400.0, "whole_rate": 1.6,
                 "net_rate": 1.7}
            ]
            for side in ("ours", "peer")
        },
        "whole": {"value": 1.5, "low": 1.4, "high": 1.6},
        "net": {"value": 1.2, "low": 1.1, "high": 1.3},
        "peer_batch": 16,
    },
    "growth": {"batch_cost_growth": 1.1, "rss_gib": 1.5},
    "memory": {
        "ours": {
            "main_peak_gib": 0.9, "worker_peak_gib": 0.2, "workers_together_peak_gib": 0.5,
            "left_files": 0, "left_folders": 0, "left_mib": 0.0,
        }
    },
}  # fmt: skip


def test_the_last_line_has_null_for_what_was_not_run():
    short = summary(FIGURES, quick=True)
    assert short == {
        "throughput_ratio": 1.5, "quality_ratio": None, "first_trial_s": None,
        "batch_cost_growth": 1.1, "rss_gib": 1.5, "vs_onnxruntime": None, "quick": True,
    }  # fmt: skip
    assert summary({"memory": {}}, quick=False)["rss_gib"] is None
    both = {"memory": {}, "first_trial": {"ours": 5.0, "peer": 18.0}}
    assert summary(both, quick=False)["first_trial_s"] == 5.0
    assert summary({"memory": FIGURES["memory"]}, quick=False)["rss_gib"] == 0.9


def test_the_table_marks_a_quick_answer_and_shows_the_sections_that_ran():
    text = "\n".join(table_lines(FIGURES, quick=True))
    assert text.startswith(QUICK_NOTE)
    assert "1.500 (1.400-1.600)" in text
    assert "1.10, main process at most 1.50 GiB" in text
    assert "Quality" not in text
    assert QUICK_NOTE not in "\n".join(table_lines(FIGURES, quick=False))


# --- Bookkeeping -------------------------------------------------------------------------------
def test_a_run_is_finished_only_when_its_result_was_kept(tmp_path):
    store, run = Store(tmp_path), Run("ours", "a run", {"trials": 3}, 1.0)
    assert store.finished(run) is None
    store.place(run).mkdir()
    (store.place(run) / RESULT).write_text('{"trials": []}')  # killed before it was kept
    assert store.finished(run) is None
    store.keep(run, {"wall_s": 2.0})
    kept = Store(tmp_path).finished(run)
    assert (kept["wall_s"], kept["result"], kept["spec"]) == (2.0, {"trials": []}, {"trials": 3})
    assert store.finished(Run("ours", "a run", {"trials": 4}, 1.0)) is None


def test_fresh_forgets_runs_and_another_folder_is_not_touched(tmp_path):
    folder = tmp_path / "work"
    with work_folder(folder, fresh=False):
        (folder / RUNS / "old").mkdir()
    with work_folder(folder, fresh=False):
        assert (folder / RUNS / "old").is_dir()
        with pytest.raises(UserError, match="another comparison is running there"):
            work_folder(folder, fresh=True).__enter__()
    with work_folder(folder, fresh=True):
        assert not (folder / RUNS / "old").exists()
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other things"):
        work_folder(tmp_path, fresh=True).__enter__()
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_left_over_files_are_counted(tmp_path):
    (tmp_path / "tmp1/inner").mkdir(parents=True)
    (tmp_path / "tmp1/kernel.tar").write_bytes(b"x" * 2**20)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    left = count_left_over(tmp_path)
    assert (left["left_files"], left["left_folders"]) == (2, 2)
    assert left["left_mib"] == pytest.approx(1.0, abs=0.01)


def test_memory_peaks_tell_a_process_from_its_workers():
    peaks = MemoryPeaks()
    script = "data = bytearray(80 << 20); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        worker.stdout.readline()
        peaks.look(os.getpid())
        worker.communicate(b"\n")
    facts = peaks.facts()
    assert facts["main_peak_gib"] > 0
    assert 0.08 < facts["worker_peak_gib"] < 0.2
    assert facts["workers_together_peak_gib"] >= facts["worker_peak_gib"] * 0.5


def test_the_copy_that_a_job_works_in_counts_as_its_main_process():
    peaks = MemoryPeaks()
    script = (
        "import os, sys\n"
        "if os.fork() == 0:\n"
        "    data = bytearray(80 << 20)\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "else:\n"
        "    os.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as job:
        job.stdout.readline()
        peaks.look(job.pid)
        job.communicate(b"\n")
    facts = peaks.facts()
    assert 0.08 < facts["main_peak_gib"] < 0.2
    assert facts["worker_peak_gib"] == 0


@pytest.fixture
def script_run(tmp_path, monkeypatch):
    """Make a run of a small script; the machine's lock is one of the test's own."""
    monkeypatch.setattr("rivulet.hardware.lock.LOCK_FOLDER", tmp_path)
    monkeypatch.setattr("comparison.launch.BENCHMARKS", tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'benchmarks'}{os.pathsep}{ROOT / 'src'}")
    store = Store(tmp_path / "runs")

    def do(text, watch=lambda done, seconds: None):
        (tmp_path / "small.py").write_text(text)
        spec = {"arguments": ["7"], "keys": ["value"]}
        run = Run("small.py", "a small script", spec, 1.0)
        return store, run, lambda: execute(run, store, 1, print, watch)

    return do


def test_a_script_runs_in_its_own_folder_and_its_last_line_is_kept(script_run):
    store, run, do = script_run(
        "import json, sys, tempfile\n"
        "tempfile.mkdtemp()\n"
        "print('table')\n"
        "print(json.dumps({'value': int(sys.argv[1])}))\n"
    )
    kept = do()
    assert kept["result"] == {"value": 7}
    assert kept["wall_s"] > 0
    assert kept == store.finished(run)
    assert not (store.place(run) / "tmp").exists()


def test_a_failing_run_is_not_kept_and_says_why(script_run):
    store, run, do = script_run("raise SystemExit('no such thing')")
    with pytest.raises(UserError, match=r"a small script: .*ended with status 1.*output\.txt"):
        do()
    assert store.finished(run) is None


def test_an_interruption_ends_the_process_and_all_of_its_own(script_run, tmp_path):
    class Stop(BaseException):
        pass

    def stop(done, seconds):
        if (tmp_path / "pid").exists():
            raise Stop

    store, run, do = script_run(
        "import os, pathlib, signal\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "signal.pause()\n",
        stop,
    )
    with pytest.raises(Stop):
        do()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert store.finished(run) is None


def test_a_script_whose_last_line_is_something_else_is_named():
    assert last_json_object('x\n{"a": 1, "b": 2}\n', "s.py", ["a"]) == {"a": 1, "b": 2}
    for text in ("", "done", "[1]", '{"b": 2}'):
        with pytest.raises(UserError, match=r"s\.py: the last line .* with a, but is"):
            last_json_object(text, "s.py", ["a"])


def test_the_command_ends_in_order_when_it_is_asked_to(tmp_path):
    """A signal right at the start: nothing is measured, and the words say how to go on."""
    script = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        "import search\n"
        "search.Session.complete = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "raise SystemExit(search.main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "--work", str(tmp_path / "work"), "--sections", "growth"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 143
    assert ended.stderr.startswith("stopped (SIGTERM); finished runs are kept")


def test_a_bad_hardware_name_gets_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["search.py", "--hardware", "moon", "--work", str(tmp_path / "work")]
    )
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert command.main() == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    error = capsys.readouterr().err
    assert error.startswith("error: --hardware moon: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("tidy", "left"), [(True, 0), (False, 1)])
def test_only_a_tidy_process_hides_what_it_leaves_behind(tmp_path, tidy, left):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "spec.json").write_text("{}")
    script = (
        "import tempfile\n"
        "from comparison.child import serve\n"
        f"raise SystemExit(serve(lambda child: {{'made': tempfile.mkdtemp()}}, tidy={tidy}))\n"
    )
    path = os.pathsep.join((str(ROOT / "benchmarks"), str(ROOT / "src")))
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path / "tmp")}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True)
    assert (tmp_path / RESULT).exists()
    assert count_left_over(tmp_path / "tmp")["left_folders"] == left


def test_numbers_on_the_command_line_are_checked(capsys):
    for given in (["--trials", "0"], ["--rounds", "x"], ["--throughput-trials", "1"]):
        with pytest.raises(SystemExit):
            command.parse(given)
        assert f"'{given[1]}' is not a whole number of at least" in capsys.readouterr().err
