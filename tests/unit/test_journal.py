"""The journal of a log: batches that are there as a whole, its first trials, what is published."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rivulet.errors import UserError
from rivulet.records import storage as storage_module
from rivulet.records.files import FILES, RECORDS, TRIALS, WORKLOADS
from rivulet.records.imported import begin_log, match_records, take_over
from rivulet.records.journal import journal_folder, publish
from rivulet.records.storage import JOURNAL, NewRecord, open_storage
from rivulet.records.stored import log_trials, read_log
from rivulet.records.trials import Trial, read_trials, write_trials

ROOT = Path(__file__).resolve().parents[2]
# Kernel and latency in microseconds of each trial; None for a candidate that failed.
STORY = [("a", 5.0), ("b", None), ("a", 4.0), ("c", 7.0), ("a", 4.0), ("b", 3.0), ("c", None)]


def trial(number, kernel, latency):
    samples = [] if latency is None else [latency + 1, latency, latency - 1]
    error = "run timeout" if latency is None else ""
    return Trial(
        number, float(number), kernel, number, "evolutionary", f"c{number}", 0.1, 0.1, 0.1,
        json.dumps(samples), error, "", "",
    )  # fmt: skip


def workload(kernel):
    return f'["{kernel}", "module {kernel}"]'


def body(number, latency):
    """A record's, which carries the number of its trial."""
    return json.dumps([[[], []], [latency * 1e-6], {}, [[number]]])


TRIAL_ROWS = [trial(n, kernel, latency) for n, (kernel, latency) in enumerate(STORY, 1)]


def write_published(folder):
    folder.mkdir()
    order = list(dict.fromkeys(kernel for kernel, latency in STORY if latency is not None))
    (folder / WORKLOADS).write_text("".join(f"{workload(kernel)}\n" for kernel in order))
    lines = [
        f"[{order.index(kernel)},{body(number, latency)}]\n"
        for number, (kernel, latency) in enumerate(STORY, 1)
        if latency is not None
    ]
    (folder / RECORDS).write_text("".join(lines))
    write_trials(folder / TRIALS, TRIAL_ROWS)


def write_journal(folder):
    folder.mkdir()
    for number, (kernel, latency) in enumerate(STORY, 1):
        new = [] if latency is None else [NewRecord(workload(kernel), body(number, latency), 0)]
        with open_storage(folder / JOURNAL) as storage:
            storage.add([TRIAL_ROWS[number - 1]], new)


@pytest.fixture
def published(tmp_path):
    """A log as files, without a word on which record is whose."""
    write_published(tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def journal(tmp_path):
    """The same log as it grows."""
    write_journal(tmp_path / "journal")
    return tmp_path / "journal"


@pytest.fixture(params=[write_journal, write_published], ids=["growing", "published"])
def log(request, tmp_path):
    request.param(tmp_path / "log")
    return tmp_path / "log"


def numbers_of(folder):
    """Trial numbers that the records of the test's log carry."""
    return [json.loads(line)[1][3][0][0] for line in (folder / RECORDS).read_text().splitlines()]


# --- What is published ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("count", "records", "workloads"),
    [
        (0, [], []),
        (1, [1], ["a"]),
        (2, [1], ["a"]),
        (4, [1, 3, 4], ["a", "c"]),
        (6, [1, 3, 4, 5, 6], ["a", "c", "b"]),
        (99, [1, 3, 4, 5, 6], ["a", "c", "b"]),
        (None, [1, 3, 4, 5, 6], ["a", "c", "b"]),
    ],
)
def test_the_first_trials_come_with_their_records_and_workloads(
    log, published, tmp_path, count, records, workloads
):
    before = {path.name: path.read_bytes() for path in log.iterdir()}
    paths = publish(log, tmp_path / "out", count)
    assert paths == [tmp_path / "out" / name for name in FILES]
    assert sorted(tmp_path.glob("out/*")) == sorted(paths)
    for path in paths:
        assert (published / path.name).read_text().startswith(path.read_text())
    assert read_trials(tmp_path / "out" / TRIALS) == TRIAL_ROWS[:count]
    assert numbers_of(tmp_path / "out") == records
    assert [json.loads(line)[0] for line in paths[0].read_text().splitlines()] == workloads
    assert {path.name: path.read_bytes() for path in log.iterdir()} == before


def test_a_published_part_replaces_a_longer_one(log, tmp_path):
    publish(log, tmp_path / "out", 6)
    publish(log, tmp_path / "out", 3)
    assert numbers_of(tmp_path / "out") == [1, 3]


def test_a_journal_is_read_as_what_is_published_of_it(journal, published):
    (one, other) = (read_log(folder) for folder in (journal, published))
    assert one.trials == other.trials == log_trials(journal)
    assert one.workloads == other.workloads
    assert [r.text for r in one.records] == [r.text for r in other.records]
    assert (one.damaged(), other.damaged()) == (0, 0)


def test_schedules_of_no_trial_are_published_with_all_of_a_log_alone(journal, tmp_path):
    with open_storage(journal / JOURNAL) as storage:
        storage.add(records=[NewRecord(workload("d"), body(99, 1.0))])
    publish(journal, tmp_path / "all")
    assert numbers_of(tmp_path / "all") == [1, 3, 4, 5, 6, 99]
    publish(journal, tmp_path / "first", 99)
    assert numbers_of(tmp_path / "first") == [1, 3, 4, 5, 6]


def test_a_damaged_published_log_gives_what_can_be_read_of_it(published, tmp_path):
    lines = (published / RECORDS).read_text().splitlines(keepends=True)
    (published / RECORDS).write_text("".join([*lines[:1], "garbage\n", *lines[2:], "[2, [[], [3"]))
    publish(published, tmp_path / "out", 4)
    assert numbers_of(tmp_path / "out") == [1, 4]
    write_trials(published / TRIALS, [*TRIAL_ROWS[:3], *TRIAL_ROWS[4:]])
    publish(published, tmp_path / "out", 99)
    assert numbers_of(tmp_path / "out") == [1, 5, 6]  # trials 3 and 5 have one latency


def test_matching_goes_by_latency_in_order():
    samples = [[6.0, 5.0, 4.0], [], [5.0, 4.0, 3.0], [6.0, 5.0, 4.0]]
    assert match_records(samples, [5.0, 4.0, 5.0]) == [0, None, 1, 2]
    assert match_records(samples, [5.0 + 4e-5, 5.0]) == [0, None, None, 1]
    assert match_records(samples, [9.0, 4.0, 5.0]) == [None, None, 1, 2]
    assert match_records([[1.0]], []) == [None]


# --- Logs of earlier versions --------------------------------------------------------------------
@pytest.fixture
def loadable(monkeypatch):
    """The records of these tests are none that TVM could load."""
    monkeypatch.setattr("rivulet.records.imported.find_unloadable", lambda scan: ({}, {}))


def test_the_log_of_an_earlier_version_is_taken_over_once_with_one_line(
    published, loadable, logger, caplog
):
    # As a kill between the two files leaves it, in the middle of a write.
    write_trials(published / TRIALS, TRIAL_ROWS[:3])
    with (published / RECORDS).open("a") as stream:
        stream.write("[2, [[], [3e-")
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    take_over(published, logger)
    (told,) = caplog.messages
    assert told == (
        f"{published}: the log of an earlier version is taken over: 3 trial(s), 2 schedule(s); "
        "4 line(s) of its files, damaged or of no trial, are not used"
    )
    for name, content in before.items():
        assert (published / name).read_bytes() == content
    assert log_trials(published) == TRIAL_ROWS[:3]
    assert [json.loads(r.text)[1][3][0][0] for r in read_log(published).records] == [1, 3]
    with open_storage(published / JOURNAL) as storage:
        storage.add([TRIAL_ROWS[3]])
    take_over(published, logger)
    assert len(caplog.messages) == 1
    assert log_trials(published) == TRIAL_ROWS[:4]


def test_a_lost_trial_of_an_earlier_version_takes_its_record_with_it(published, loadable):
    write_trials(published / TRIALS, TRIAL_ROWS[:3] + TRIAL_ROWS[4:])
    take_over(published, None)
    assert [json.loads(r.text)[1][3][0][0] for r in read_log(published).records] == [1, 3, 5, 6]


def test_nothing_is_taken_over_where_there_is_nothing(tmp_path, logger, caplog):
    take_over(tmp_path, logger)
    assert list(tmp_path.iterdir()) == []
    assert caplog.messages == []


def test_a_log_begins_with_some_trials_of_another(log, tmp_path):
    out = tmp_path / "begun"
    out.mkdir()
    begin_log(out, log, lambda one: one.kernel != "c", lambda one: one.trial != 3)
    assert [row.trial for row in log_trials(out)] == [1, 2, 3, 5, 6]
    publish(out, tmp_path / "all", 99)
    assert numbers_of(tmp_path / "all") == [1, 5, 6]
    begin_log(out, log, lambda one: True, lambda one: True)
    assert len(log_trials(out)) == 5


# --- Batches -------------------------------------------------------------------------------------
def test_a_batch_that_fails_half_way_leaves_nothing(journal):
    bad = NewRecord(workload("z"), None, 0)  # no text, which the table refuses
    with pytest.raises(UserError, match="NOT NULL"), open_storage(journal / JOURNAL) as storage:
        storage.add([TRIAL_ROWS[0]], [NewRecord(workload("y"), body(8, 1.0), 0), bad])
    assert log_trials(journal) == TRIAL_ROWS
    assert len(read_log(journal).workloads) == 3


def test_the_last_trials_are_forgotten_with_their_records(journal, tmp_path):
    with open_storage(journal / JOURNAL) as storage:
        storage.forget(2)
        storage.add([replace(TRIAL_ROWS[5], trial=6)])
    publish(journal, tmp_path / "out")
    assert numbers_of(tmp_path / "out") == [1, 3, 4, 5]
    assert [row.trial for row in log_trials(journal)] == [1, 2, 3, 4, 5, 6]


def test_every_cell_comes_back_to_the_bit(tmp_path):
    row = replace(
        TRIAL_ROWS[0], elapsed_s=0.1 + 0.2, build_s=1e-300, error="a 'b' \"c\"; ü", trial=7
    )
    with open_storage(tmp_path / JOURNAL) as storage:
        storage.add([row])
    assert log_trials(tmp_path) == [row]


def test_who_reads_sees_one_moment_whatever_is_added(journal):
    with open_storage(journal / JOURNAL, snapshot=True) as storage:
        assert len(storage.trials()) == 7
        writer = sqlite3.connect(journal / JOURNAL, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("DELETE FROM trial").connection.commit()
        writer.close()
        assert len(storage.trials()) == 7


# Adds batches as fast as it can; each is of three trials, of which two have records.
WRITER = """
import sys
from pathlib import Path
from rivulet.records.storage import JOURNAL, NewRecord, open_storage
from rivulet.records.trials import Trial

def row(n):
    return Trial(n, 1.0, "k", n // 3, "s", f"c{n}", 0.1, 0.1, 0.1, "[1.0]", "", "", "")

folder = Path(sys.argv[1])
with open_storage(folder / JOURNAL) as storage:
    done = len(storage.trials())
HOOK
while True:
    rows = [row(done + n) for n in (1, 2, 3)]
    line = f'["w{done}", "module {done}"]'
    records = [NewRecord(line, f'[[[], []], [1e-06], {{}}, [[{done + n + 1}]]]', n) for n in (0, 1)]
    with open_storage(folder / JOURNAL) as storage:
        storage.add(rows, records)
    done += 3
    print(done, flush=True)
"""
# Kills itself within a transaction: at a statement of it, and with some of it on the disk already.
HOOK = """
import os, signal, sqlite3
import rivulet.records.storage as module
connect, seen = sqlite3.connect, [0]

def trace(statement):
    seen[0] += statement.startswith(("INSERT", "COMMIT", "BEGIN"))
    if done >= 30 and seen[0] >= AFTER:
        os.kill(os.getpid(), signal.SIGKILL)

def hooked(*arguments, **named):
    connection = connect(*arguments, **named)
    connection.execute("PRAGMA cache_size = 2")
    connection.set_trace_callback(trace)
    seen[0] = 0
    return connection

module.sqlite3.connect = hooked
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def assert_whole_batches(folder, told):
    """The journal is sound, nothing that was told to be there is missing, no batch is in part."""
    connection = sqlite3.connect(folder / JOURNAL)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    rows = log_trials(folder)
    assert told <= len(rows) <= told + 3
    assert [row.trial for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) % 3 == 0
    log = read_log(folder)
    assert log.damaged() == 0
    carried = [json.loads(record.text)[1][3][0][0] for record in log.records]
    assert carried == [row.trial for row in rows if row.trial % 3]
    assert len(log.workloads) == len(rows) // 3
    return len(rows)


def test_a_writer_that_is_killed_at_any_moment_loses_one_batch_at_most(tmp_path):
    moments = random.Random(3)
    for _ in range(12):
        process = start(WRITER.replace("HOOK", ""), tmp_path)
        first = process.stdout.readline()
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        told = first + process.communicate()[0]
        assert_whole_batches(tmp_path, int(told.split()[-1]))


@pytest.mark.parametrize("after", range(1, 8))
def test_a_kill_at_a_statement_of_a_transaction_undoes_all_of_it(tmp_path, after):
    process = start(WRITER.replace("HOOK", HOOK.replace("AFTER", str(after))), tmp_path)
    out, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, error
    assert assert_whole_batches(tmp_path, int(out.split()[-1])) == 30
    # And it is gone on with as if nothing had been.
    process = start(WRITER.replace("HOOK", ""), tmp_path)
    assert int(process.stdout.readline()) == 33
    process.kill()
    process.communicate()


PUBLISHER = """
import os, signal, sys
from pathlib import Path
from rivulet.records.journal import journal_folder, publish

replace, left = Path.replace, [int(sys.argv[3])]

def hooked(self, target):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = hooked
publish(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("replaced", range(3))
def test_a_kill_in_the_middle_of_a_publication_leaves_whole_files(
    journal, published, tmp_path, replaced
):
    out = tmp_path / "out"
    publish(journal, out, 3)
    earlier = {name: (out / name).read_bytes() for name in FILES}
    before = (journal / JOURNAL).read_bytes()
    process = start(PUBLISHER, journal, out, replaced)
    assert process.wait(timeout=60) == -signal.SIGKILL
    publish(journal, tmp_path / "new")
    for place, name in enumerate(FILES):
        whole = tmp_path / "new" / name
        assert (out / name).read_bytes() == (
            whole.read_bytes() if place < replaced else earlier[name]
        )
    assert (journal / JOURNAL).read_bytes() == before
    publish(journal, out)
    for name in FILES:
        assert (out / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


# --- Disks ---------------------------------------------------------------------------------------
def test_a_full_disk_is_told_in_one_line_and_nothing_is_lost(journal, monkeypatch):
    connect = sqlite3.connect

    def full(*arguments, **named):
        connection = connect(*arguments, **named)
        connection.execute("PRAGMA max_page_count = 1")  # no page more than there are
        return connection

    monkeypatch.setattr(storage_module.sqlite3, "connect", full)
    large = replace(TRIAL_ROWS[0], error="x" * 100_000)
    with pytest.raises(UserError) as told, open_storage(journal / JOURNAL) as storage:
        storage.add([large])
    assert str(told.value) == (
        f"{journal / JOURNAL}: the log cannot be used (database or disk is full); "
        "make room on its disk"
    )
    monkeypatch.undo()
    assert log_trials(journal) == TRIAL_ROWS


def test_a_disk_that_fails_is_told_in_one_line(tmp_path):
    """A limit on the size of files stands in for it."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))\n"
    process = start(limited + WRITER.replace("HOOK", ""), tmp_path)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    last = error.strip().splitlines()[-1]
    assert "log.sqlite: the log cannot be used (disk I/O error); look after its disk" in last
    assert_whole_batches(tmp_path, int(out.split()[-1]))


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError) as told, open_storage(Path("/proc") / JOURNAL) as storage:
        storage.add(TRIAL_ROWS)
    assert str(told.value) == (
        "/proc/log.sqlite: the log cannot be used (unable to open database file); "
        "make its folder readable and writable"
    )


def test_a_place_that_no_folder_can_be_made_in_is_told_in_one_line(journal):
    with pytest.raises(UserError, match="/proc/out: cannot be written"):
        publish(journal, Path("/proc/out"))
    with pytest.raises(UserError, match=r"/proc/.*settings-.*: cannot be written"):
        journal_folder(Path("/proc/journals"), {"fingerprint": "f", "tvm": "t"}, [])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_journal_is_read_and_not_written(journal):
    (journal / JOURNAL).chmod(0o444)
    journal.chmod(0o555)
    try:
        assert log_trials(journal) == TRIAL_ROWS
        with pytest.raises(UserError, match="writable"), open_storage(journal / JOURNAL) as storage:
            storage.add([TRIAL_ROWS[0]])
    finally:
        journal.chmod(0o755)
    assert log_trials(journal) == TRIAL_ROWS


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no database" * 100, "file is not a database"), (b"", "")],
    ids=["garbage", "nothing"],
)
def test_a_journal_that_is_none_is_told_in_one_line(tmp_path, content, said):
    (tmp_path / JOURNAL).write_bytes(content)
    if not said:  # as a kill leaves it before the first batch
        assert log_trials(tmp_path) == []
        return
    with pytest.raises(UserError, match=rf"{said}.*; move it away to begin a new one"):
        log_trials(tmp_path)


def test_a_journal_of_another_version_is_told(journal):
    connection = sqlite3.connect(journal / JOURNAL)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(UserError, match=r"log.sqlite: a log of version 7, and this is a version"):
        log_trials(journal)
