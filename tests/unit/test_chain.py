"""Milestones of one growing log: which log serves a trial count, and its first trials."""

import json
import logging
from dataclasses import replace

import pytest

from rivulet.records.chain import (
    chain_folder,
    measuring_code,
    milestone_facts,
    remember_milestone,
)
from rivulet.records.log import FILES, RECORDS, TRIALS, WORKLOADS
from rivulet.records.prefix import drop_unrecorded, match_records, write_prefix
from rivulet.records.trials import Trial, append_trials, read_trials

LOGGER = logging.getLogger("test")
# Kernel and latency in microseconds of each trial; None for a candidate that failed.
STORY = [("a", 5.0), ("b", None), ("a", 4.0), ("c", 7.0), ("a", 4.0), ("b", 3.0), ("c", None)]


def trial(number, kernel, latency):
    samples = [] if latency is None else [latency + 1, latency, latency - 1]
    error = "run timeout" if latency is None else ""
    return Trial(
        number, float(number), kernel, number, "evolutionary", f"c{number}", 0.1, 0.1, 0.1,
        json.dumps(samples), error, "", "",
    )  # fmt: skip


@pytest.fixture
def log(tmp_path):
    """A log on disk as a search leaves it."""
    folder = tmp_path / "log"
    folder.mkdir()
    order = list(dict.fromkeys(kernel for kernel, latency in STORY if latency is not None))
    (folder / WORKLOADS).write_text(
        "".join(f'["{kernel}", "module {kernel}"]\n' for kernel in order)
    )
    lines = [
        json.dumps([order.index(kernel), [[[], []], [latency * 1e-6], {}, [[number]]]]) + "\n"
        for number, (kernel, latency) in enumerate(STORY, 1)
        if latency is not None
    ]
    (folder / RECORDS).write_text("".join(lines))
    append_trials(folder / TRIALS, [trial(n, k, s) for n, (k, s) in enumerate(STORY, 1)])
    return folder


def numbers_of(folder):
    """Trial numbers that the records of the test's log carry."""
    return [json.loads(line)[1][3][0][0] for line in (folder / RECORDS).read_text().splitlines()]


@pytest.mark.parametrize(
    ("count", "records", "workloads"),
    [
        (1, [1], ["a"]),
        (2, [1], ["a"]),
        (4, [1, 3, 4], ["a", "c"]),
        (6, [1, 3, 4, 5, 6], ["a", "c", "b"]),
        (99, [1, 3, 4, 5, 6], ["a", "c", "b"]),
    ],
)
def test_the_first_trials_come_with_their_records_and_workloads(
    log, tmp_path, count, records, workloads
):
    paths = write_prefix(log, tmp_path / "out", count)
    assert paths == [tmp_path / "out" / name for name in FILES]
    assert sorted(tmp_path.glob("out/*")) == sorted(paths)
    for path in paths:
        assert (log / path.name).read_text().startswith(path.read_text())
    assert read_trials(tmp_path / "out" / TRIALS) == read_trials(log / TRIALS)[:count]
    assert numbers_of(tmp_path / "out") == records
    kernels = [json.loads(line)[0] for line in (paths[0]).read_text().splitlines()]
    assert kernels == workloads


def test_a_prefix_replaces_a_longer_one(log, tmp_path):
    write_prefix(log, tmp_path / "out", 6)
    write_prefix(log, tmp_path / "out", 3)
    assert numbers_of(tmp_path / "out") == [1, 3]


def test_records_of_a_batch_that_was_cut_off_are_set_aside(log):
    rows = read_trials(log / TRIALS)
    (log / TRIALS).unlink()
    append_trials(log / TRIALS, rows[:3])
    with (log / RECORDS).open("a") as stream:
        stream.write("[2, [[], [3e-")
    assert drop_unrecorded(log, LOGGER) == rows[:3]
    assert numbers_of(log) == [1, 3]
    assert (log / f"{RECORDS}.damaged").read_text().count("\n") == 4
    before = (log / RECORDS).read_bytes()
    drop_unrecorded(log, LOGGER)
    assert (log / RECORDS).read_bytes() == before


def test_a_lost_record_moves_no_other_to_a_wrong_trial(log, tmp_path):
    lines = (log / RECORDS).read_text().splitlines(keepends=True)
    (log / RECORDS).write_text("".join([*lines[:1], "garbage\n", *lines[2:]]))
    drop_unrecorded(log, LOGGER)
    assert numbers_of(log) == [1, 4, 5, 6]
    write_prefix(log, tmp_path / "out", 4)
    assert numbers_of(tmp_path / "out") == [1, 4]


def test_a_lost_trial_takes_its_record_with_it(log):
    rows = read_trials(log / TRIALS)
    (log / TRIALS).unlink()
    append_trials(log / TRIALS, rows[:3] + rows[4:])
    drop_unrecorded(log, LOGGER)
    assert numbers_of(log) == [1, 3, 5, 6]


def test_matching_goes_by_latency_in_order():
    trials = [trial(1, "a", 5.0), trial(2, "a", None), trial(3, "a", 4.0), trial(4, "a", 5.0)]
    assert match_records(trials, [5.0, 4.0, 5.0]) == [0, None, 1, 2]
    assert match_records(trials, [5.0 + 4e-5, 5.0]) == [0, None, None, 1]
    assert match_records(trials, [9.0, 4.0, 5.0]) == [None, None, 1, 2]
    assert match_records([replace(trials[0], samples_us="[1.0]")], []) == [None]


def begin(folder):
    append_trials(folder / TRIALS, [trial(1, "a", 5.0)])
    return folder


def test_all_milestones_share_one_log_whichever_comes_first(tmp_path):
    small, size = chain_folder(tmp_path, own=4, planned=4)
    large, same_size = chain_folder(tmp_path, own=16, planned=4)
    assert (small, size) == (large, same_size)
    assert size == 4


def test_a_log_that_was_begun_is_gone_on_with_whatever_the_config_names_now(tmp_path):
    begun = begin(chain_folder(tmp_path, own=4, planned=4)[0])
    assert chain_folder(tmp_path, own=16, planned=16) == (begun, 4)
    assert chain_folder(tmp_path, own=8, planned=8) == (begun, 4)


def test_a_smaller_milestone_is_not_served_by_a_log_with_larger_first_rounds(tmp_path):
    large = begin(chain_folder(tmp_path, own=16, planned=16)[0])
    small, size = chain_folder(tmp_path, own=4, planned=4)
    assert small != large
    assert size == 4
    begin(small)
    assert chain_folder(tmp_path, own=16, planned=4) == (large, 16)


def test_a_log_without_trials_binds_nobody(tmp_path):
    chain_folder(tmp_path, own=16, planned=16)
    assert chain_folder(tmp_path, own=16, planned=4)[1] == 4


def test_milestones_are_remembered_with_the_code_that_measured_them(tmp_path):
    assert milestone_facts(tmp_path, 500) is None
    assert measuring_code(tmp_path, 500, "now") == "now"
    remember_milestone(tmp_path, 500, {"code": "old", "trials_measured": 500})
    remember_milestone(tmp_path, 1000, {"code": "new", "trials_measured": 1000})
    assert milestone_facts(tmp_path, 500) == {"code": "old", "trials_measured": 500}
    assert measuring_code(tmp_path, 300, "now") == "old"
    assert measuring_code(tmp_path, 700, "now") == "new"
    assert measuring_code(tmp_path, 5000, "now") == "now"
    (tmp_path / "milestones.json").write_text('{"500": {"co')  # as a power failure may leave it
    assert milestone_facts(tmp_path, 500) is None
