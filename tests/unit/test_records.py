import json
from dataclasses import replace

import pytest

from rivulet.records.journal import completed_facts, journal_folder, mark_complete, other_journals
from rivulet.records.recover import is_json, recover_database, recover_lines
from rivulet.records.trials import HEADER, Trial, append_trials, read_trials, recover_trials

TRIAL = Trial(
    1, 2.5, "conv", 1, "evolutionary", "abcd", 0.1, 0.2, 0.3, "[1.0, 2.0]", "", "1.5", "0.25"
)


def test_trials_come_back_as_written(tmp_path):
    path = tmp_path / "trials.csv"
    awkward = replace(TRIAL, trial=2, error='run error: "a, b"\nsecond line', samples_us="[]")
    append_trials(path, [TRIAL])
    append_trials(path, [awkward])
    assert path.read_text().splitlines()[0] == HEADER
    first, second = read_trials(path)
    assert first == TRIAL
    assert second.error == 'run error: "a, b" second line'
    assert recover_trials(path) == 0


def test_a_cut_off_trial_is_set_aside_at_any_length(tmp_path):
    path = tmp_path / "trials.csv"
    append_trials(path, [TRIAL, replace(TRIAL, trial=2)])
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert recover_trials(path) == 1
        assert [t.trial for t in read_trials(path)] == [1]
        assert recover_trials(path) == 0
    assert (tmp_path / "trials.csv.damaged").read_text().count("\n") >= len(whole) - last - 1


@pytest.mark.parametrize("head", ["", "trial,elap", "garbled\n"])
def test_a_lost_header_is_put_back(tmp_path, head):
    path = tmp_path / "trials.csv"
    append_trials(path, [TRIAL])
    rows = path.read_text().split("\n", 1)[1] if head.endswith("\n") else ""
    path.write_text(head + rows)
    recover_trials(path)
    append_trials(path, [replace(TRIAL, trial=2)])
    assert path.read_text().splitlines()[0] == HEADER
    assert read_trials(path)[-1].trial == 2


def test_a_garbled_line_in_the_middle_is_set_aside(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}\n\x00\xff garbage\n{"b": 2}\n')
    assert recover_lines(path, is_json) == 1
    assert path.read_text() == '{"a": 1}\n{"b": 2}\n'
    assert "garbage" in (tmp_path / "x.json.damaged").read_text()


def test_records_follow_their_workloads_when_one_is_lost(tmp_path):
    workloads, records = tmp_path / "database_workload.json", tmp_path / "records.json"
    workloads.write_text('["h0", "w0"]\n["h1", "w\n["h2", "w2"]\n')
    records.write_text('[0, "r0"]\n[1, "r1"]\n[2, "r2"]\n[2, "r2b"]\n[0, "cut')
    assert recover_database(workloads, records) == {workloads.name: 1, records.name: 2}
    assert [json.loads(line) for line in workloads.read_text().splitlines()] == [
        ["h0", "w0"],
        ["h2", "w2"],
    ]
    assert [json.loads(line) for line in records.read_text().splitlines()] == [
        [0, "r0"],
        [1, "r2"],
        [1, "r2b"],
    ]


SETTINGS = {"fingerprint": "f1", "tvm": "0.27", "device": "x", "search": {"seed": 1}, "trials": 5}


@pytest.fixture
def kernels_file(tmp_path):
    path = tmp_path / "kernels.txt"
    path.write_text("kernels")
    return path


def test_journals_are_kept_apart_and_found_again(tmp_path, kernels_file):
    root = tmp_path / "journals"
    first = journal_folder(root, SETTINGS, [kernels_file])
    others = [
        journal_folder(root, {**SETTINGS, "search": {"seed": 2}}, [kernels_file]),
        journal_folder(root, {**SETTINGS, "fingerprint": "f2"}, [kernels_file]),
        journal_folder(root, {**SETTINGS, "tvm": "0.28"}, [kernels_file]),
    ]
    assert len({first, *others}) == 4
    assert "device-f2" in others[1].name
    assert "tvm-0.28" in others[2].name
    assert journal_folder(root, SETTINGS, [kernels_file]) == first
    assert other_journals(first) == sorted(others)
    assert json.loads((first / "settings.json").read_text()) == SETTINGS


def test_other_kernels_make_another_journal(tmp_path, kernels_file):
    first = journal_folder(tmp_path / "j", SETTINGS, [kernels_file])
    kernels_file.write_text("other kernels")
    assert journal_folder(tmp_path / "j", SETTINGS, [kernels_file]) != first


def test_completion_is_remembered(tmp_path):
    assert completed_facts(tmp_path) is None
    mark_complete(tmp_path, {"trials": 3})
    assert completed_facts(tmp_path) == {"trials": 3}
    (tmp_path / "complete.json").write_text("")  # as a power failure may leave it
    assert completed_facts(tmp_path) is None
