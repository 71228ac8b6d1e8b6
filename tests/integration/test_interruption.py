"""Searches that are killed, stopped and made to wait, as processes of their own on real TVM."""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import psutil
import pytest

from conftest import MEASURE, ROOT, SEARCH, write_onnx
from rivulet.graph.prepare import prepare_model
from rivulet.hardware import device_lock
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.store import save_kernels
from rivulet.provenance import read_record, write_record
from rivulet.records.files import RECORDS, TRIALS
from rivulet.records.journal import publish
from rivulet.records.storage import JOURNAL
from rivulet.records.stored import log_trials

KILLS = 20
IN_TIME = 10.0  # seconds from SIGTERM to the end of the job that are allowed


class Search:
    """The command of one search, in a folder of its own.

    Args:
        folder: Where inputs, journals and outputs are.
        device: The device to measure on.
        kernels: Kernels to search.
        search: Changes of the search's settings.
        measure: Changes of the measuring's settings.
    """

    def __init__(self, folder, device, kernels, search=None, measure=None):
        self.folder, self.device = folder, device
        self.count = len(kernels)
        self.search, self.measure = {**SEARCH, **(search or {})}, {**MEASURE, **(measure or {})}
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        place = folder / "results/local/kernels"
        place.mkdir(parents=True)
        save_kernels(
            kernels, place / f"{folder.name}.csv", place / f"{folder.name}.workloads.json.gz"
        )
        write_record(
            place / f"{folder.name}.json", "kernels", {}, {}, inputs=[],
            outputs=[place / f"{folder.name}.csv"], facts={"kernels": self.count},
        )  # fmt: skip

    def start(self, trials, milestones=()):
        """Start the search up to a number of trials."""
        config = {
            "models": {self.folder.name: {"torchvision": "alexnet"}},
            "hardware": {"local": {"threads": self.device.threads}},
            "trials": list(milestones) or [trials],
            "search": self.search,
            "measure": self.measure,
            "droplet_study": {"gain": False},
        }
        name = f"config-{len(list(self.folder.glob('config-*')))}.yaml"
        (self.folder / name).write_text(json.dumps(config))
        command = [
            sys.executable, str(ROOT / "scripts/tune_model.py"), "--configfile", name,
            "--record", str(self.out(trials) / "log.json"), "--log", "search.log",
        ]  # fmt: skip
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.Popen(
            command, cwd=self.folder, text=True, stderr=subprocess.PIPE,
            env={**variables, "TMPDIR": str(self.temporary)},
        )  # fmt: skip

    def out(self, trials):
        """Folder of the published log."""
        return self.folder / f"results/local/logs/ansor-{trials}/{self.folder.name}"

    def run(self, trials, milestones=()):
        """Search to the end; returns what a person sees of it."""
        process = self.start(trials, milestones)
        _, text = process.communicate(timeout=280)
        assert process.returncode == 0, text + self.log()
        return text

    def log(self):
        path = self.folder / "search.log"
        return path.read_text() if path.exists() else ""

    def journal(self):
        """Folder of the growing log; None before there is one."""
        return next(iter(self.folder.glob("results/local/journals/ansor/*/*/first-round-*")), None)

    def rows(self):
        """Trials on disk now."""
        folder = self.journal()
        return len(log_trials(folder)) if folder else 0

    def processes(self):
        """All processes that belong to searches in this folder, however they were started."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR", "").startswith(str(self.temporary)):
                    found.append(process)
            except psutil.Error:
                continue
        return found


def wait_for(condition, what, seconds=60.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come within {seconds:g} s"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="module")
def few(kernels):
    """Two kernels that can be scheduled in many ways, small enough to build in no time."""
    return sorted(kernels, key=lambda kernel: -kernel.flops)[:2]


def assert_consistent(log, folder):
    """What is published opens in stock TVM, and its records are those of the trials that ran."""
    from tvm.s_tir import meta_schedule as ms

    publish(log, folder)
    trials = log_trials(folder)
    assert trials == log_trials(log)
    database = ms.database.JSONDatabase(work_dir=str(folder), allow_missing=False)
    medians = [statistics.median(json.loads(t.samples_us)) for t in trials if not t.error]
    recorded = [float(r.run_secs[0]) * 1e6 for r in database.get_all_tuning_records()]
    assert sorted(recorded) == pytest.approx(sorted(medians), abs=1e-3)
    candidates = [(trial.kernel, trial.candidate) for trial in trials]
    assert len(set(candidates)) == len(candidates)
    assert [trial.trial for trial in trials] == list(range(1, len(trials) + 1))
    return trials


def test_a_search_that_is_killed_at_any_moment_loses_the_batch_in_flight_at_most(
    tmp_path, device, few
):
    budget, batch = 80, SEARCH["batch_size"]
    search = Search(tmp_path / "killed", device, few)
    moments = random.Random(7)
    kept = []
    for number in range(1, KILLS + 1):
        process, before = search.start(budget), search.rows()
        # A third of the kills meets the start and the recovery, the others what comes after.
        moment = moments.uniform(0.05, 2.5) if number % 3 == 0 else moments.uniform(0, 0.9)
        if number % 3:
            wait_for(
                lambda p=process, b=before: search.rows() > b or p.poll() is not None,
                "another batch",
            )
        time.sleep(moment)
        if process.poll() is not None:
            print(f"kill {number:2}: the search was over before it, with {search.rows()} trials")
            break
        rows = search.rows()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        wait_for(lambda: not search.processes(), "the end of all workers", 10)
        print(f"kill {number:2}: {moment:.2f} s into it, with {rows} trials on disk")
        folder = search.journal()
        if folder is None or not (folder / JOURNAL).exists():
            continue
        trials = assert_consistent(folder, tmp_path / "seen")
        # What was on disk stays, and at most the batch that was being written is not there.
        assert trials[: len(kept)] == kept
        assert rows <= len(trials) <= rows + batch
        kept = trials
    assert number >= KILLS / 2, "too few kills met the search; enlarge the budget"
    search.run(budget)
    final = assert_consistent(search.journal(), tmp_path / "seen")
    assert len(final) == budget
    assert final[: len(kept)] == kept
    assert log_trials(search.out(80)) == final
    assert read_record(search.out(80) / "log.json").facts["trials_measured"] == budget
    assert "continuing after" in search.log()
    assert search.processes() == []
    assert list(search.temporary.iterdir()) == []


def test_trial_counts_are_stations_of_one_search(tmp_path, device, few):
    search = Search(tmp_path / "chain", device, few)
    # The larger one first, as a cluster may start them: it passes through the smaller one.
    search.run(24, milestones=[10, 24])
    measured = log_trials(search.journal())
    assert "the first 10 trials of a longer search" in search.run(10, milestones=[10, 24])
    search.run(17, milestones=[10, 17, 24])
    search.run(17, milestones=[17, 99])
    assert log_trials(search.journal()) == measured
    assert search.rows() == 24
    search.run(30, milestones=[10, 24, 30])
    assert search.rows() == 30
    elapsed = []
    for smaller, larger in ((10, 17), (17, 24), (24, 30)):
        for name in (TRIALS, RECORDS, "database_workload.json"):
            short, long = (search.out(n) / name for n in (smaller, larger))
            assert long.read_text().startswith(short.read_text())
            assert name != TRIALS or short.stat().st_size < long.stat().st_size
        trials = assert_consistent(search.out(smaller), tmp_path / "seen")
        assert len(trials) == smaller
        facts = read_record(search.out(smaller) / "log.json").facts
        assert facts["trials_measured"] == smaller
        assert facts["search_seconds"] == trials[-1].elapsed_s
        elapsed.append(facts["search_seconds"])
    assert elapsed == sorted(elapsed)
    # First rounds are those of the smallest: two trials for each of two kernels, not four.
    first = {}
    for trial in log_trials(search.out(10)):
        first.setdefault(trial.kernel, []).append(trial.batch)
    assert sorted(batches.count(batches[0]) for batches in first.values()) == [2, 2]
    # No batch goes across a milestone, so that the log is what a search of that size leaves.
    rows = log_trials(search.out(30))
    for milestone in (10, 24):
        assert rows[milestone - 1].batch != rows[milestone].batch


def test_a_journal_of_an_earlier_version_is_gone_on_with(tmp_path, device, few):
    search = Search(tmp_path / "earlier", device, few)
    search.run(8, milestones=[8, 16])
    folder = search.journal()
    kept = log_trials(folder)
    publish(folder, folder)
    (folder / JOURNAL).unlink()
    with (folder / RECORDS).open("a") as stream:
        stream.write('[0, [[["GetSBl')  # as a kill left it in the middle of a write
    search.run(16, milestones=[8, 16])
    assert search.log().count("the log of an earlier version is taken over: 8 trial(s), 8") == 1
    trials = assert_consistent(folder, tmp_path / "seen")
    assert trials[:8] == kept
    assert len(trials) == 16
    assert "taken over" not in search.run(8, milestones=[8, 16])
    assert log_trials(search.out(8)) == kept


def test_a_second_search_waits_and_says_for_whom(tmp_path, device, few):
    searches = [Search(tmp_path / name, device, few) for name in ("first", "second")]
    holder = searches[0].start(1000)
    wait_for(searches[0].rows, "the first's first batch")
    waiting = searches[1].start(8)
    expected = f"in use by search first in {searches[0].folder} (process"
    wait_for(lambda: expected in searches[1].log(), "the second's wait")
    assert searches[1].rows() == 0
    stop(searches[0], holder)
    _, text = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, text
    assert expected in text
    assert searches[1].rows() == 8


def test_two_searches_with_one_log_take_turns(tmp_path, device, few):
    search = Search(tmp_path / "shared", device, few)
    with device_lock("cpu", "a benchmark elsewhere"):
        small = search.start(8, milestones=[8, 16])
        wait_for(lambda: "waiting for the device" in search.log(), "the first's wait")
        large = search.start(16, milestones=[8, 16])
        wait_for(lambda: "waiting for the log in" in search.log(), "the second's wait")
    texts = [process.communicate(timeout=120)[1] for process in (small, large)]
    assert [small.returncode, large.returncode] == [0, 0], texts
    assert f"in use by search shared in {search.folder} (process" in texts[1]
    assert search.rows() == 16
    assert len(log_trials(search.out(8))) == 8


# --- SIGTERM -------------------------------------------------------------------------------------
def stop(search, process):
    """Send SIGTERM; returns the seconds to the end, after checking how it ends."""
    before = search.rows()
    started = time.monotonic()
    process.terminate()
    _, text = process.communicate(timeout=60)
    seconds = time.monotonic() - started
    assert process.returncode == 143, text
    assert text.splitlines()[-1].endswith(
        "stopped by SIGTERM; what was recorded is kept, and the same command goes on from there"
    )
    assert seconds < IN_TIME
    assert search.rows() >= before
    assert search.processes() == []
    assert list(search.temporary.iterdir()) == []
    return seconds


@pytest.fixture(scope="module")
def large(target, tmp_path_factory):
    """A convolution of 64 channels at 56 x 56, the size of resnet's first stage."""
    path = write_onnx(tmp_path_factory.mktemp("large") / "large.onnx", channels=64, size=56)
    found = extract_kernels(prepare_model(path, target), target)
    return [max(found, key=lambda kernel: kernel.flops)]


# Settings for use, where each phase lasts for many seconds.
SLOW = {"batch_size": 16, "population": 512, "generations": 4}
LONG_SAMPLES = {"repeats": 100, "min_repeat_ms": 1000, "run_timeout_s": 300.0}


def built(search):
    return len(list(search.temporary.glob("rivulet-scratch-*/kernel*.so")))


def test_sigterm_while_proposing(tmp_path, device, large):
    search = Search(tmp_path / "proposing", device, large, SLOW)
    process = search.start(1000)
    wait_for(lambda: search.rows() >= 16, "the first round")
    time.sleep(3)  # into the evolution, which takes longer than the allowed time by itself
    assert search.rows() == 16
    print(f"ended in {stop(search, process):.2f} s while proposing")
    assert len(assert_consistent(search.journal(), tmp_path / "seen")) == 16


def test_sigterm_while_building(tmp_path, device, large):
    search = Search(tmp_path / "building", device, large, SLOW)
    process = search.start(1000)
    wait_for(lambda: 0 < built(search) < 16, "the first built candidate")
    print(f"ended in {stop(search, process):.2f} s while building")
    assert search.rows() == 0


def test_sigterm_while_a_kernel_runs_for_long(tmp_path, device, large):
    search = Search(tmp_path / "running", device, large, {**SLOW, "batch_size": 2}, LONG_SAMPLES)
    process = search.start(1000)
    wait_for(lambda: built(search), "the first built candidate")
    time.sleep(4)  # until the batch is built, and its first kernel runs
    print(f"ended in {stop(search, process):.2f} s while a kernel ran")
    assert search.rows() == 0


def test_sigterm_while_waiting_for_the_device(tmp_path, device, few):
    search = Search(tmp_path / "waiting", device, few)
    with device_lock("cpu", "a benchmark elsewhere"):
        process = search.start(8)
        wait_for(lambda: "waiting for the device" in search.log(), "the wait")
        print(f"ended in {stop(search, process):.2f} s while waiting")
    assert len(search.run(8).splitlines()) > 0


def test_sigterm_while_starting(tmp_path, device, few):
    search = Search(tmp_path / "starting", device, few)
    process = search.start(8)
    wait_for(lambda: ": started" in search.log(), "the start")
    print(f"ended in {stop(search, process):.2f} s while starting")
