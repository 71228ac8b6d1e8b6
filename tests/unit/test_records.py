import json
import time
from dataclasses import replace

import pytest

from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, other_journals
from rivulet.records.scan import scan_database
from rivulet.records.trials import HEADER, Trial, read_trials, scan_trials, write_trials

TRIAL = Trial(
    1, 2.5, "conv", 1, "evolutionary", "abcd", 0.1, 0.2, 0.3, "[1.0, 2.0]", "", "1.5", "0.25"
)


def test_trials_come_back_as_written(tmp_path):
    path = tmp_path / "trials.csv"
    awkward = replace(TRIAL, trial=2, error='run error: "a, b"\nsecond line', samples_us="[]")
    write_trials(path, [TRIAL, awkward])
    assert path.read_text().splitlines()[0] == HEADER
    first, second = read_trials(path)
    assert first == TRIAL
    assert second.error == 'run error: "a, b" second line'
    assert not scan_trials(path).damage


def test_reasons_cannot_break_rows(tmp_path):
    path = tmp_path / "trials.csv"
    hostile = replace(TRIAL, error="a\rb\x00c\u2028d\x85e\x0cf \udcff")
    write_trials(path, [hostile, replace(TRIAL, trial=2)])
    assert not scan_trials(path).damage
    assert [t.error for t in read_trials(path)] == ["a b c d e f ?", ""]


def test_a_cut_off_trial_is_left_out_at_any_length(tmp_path):
    path = tmp_path / "trials.csv"
    write_trials(path, [TRIAL, replace(TRIAL, trial=2)])
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        scan = scan_trials(path)
        assert list(scan.damage) == [3]
        assert [t.trial for t in scan.trials] == [1]
        assert path.read_bytes() == whole[:cut]


ROW = "2,3.0,conv,1,evolutionary,beef,0.1,0.2,0.3,[1.0],,1.5,0.25"


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"", "empty line"),
        (b"\0\0\0\0\0\0", "NUL bytes"),
        (ROW.encode()[:20] + b"\0" * 20, "NUL bytes"),
        (b"\xff\xfe" + ROW.encode(), "not UTF-8"),
        (ROW.encode()[:30], "a column is missing"),
        (ROW.replace("2,3.0", "two,3.0").encode(), "no number"),
        (ROW.replace("3.0,conv", "nan,conv").encode(), "no number"),
        (ROW.replace("[1.0]", "5").encode(), "no number"),
        (ROW.replace("[1.0]", "[null]").encode(), "no number"),
        (ROW.replace("conv", '"con').encode(), "not CSV"),
        (HEADER.encode(), "no number"),
    ],
)
def test_a_damaged_row_in_the_middle_is_left_out(tmp_path, bad, what):
    path = tmp_path / "trials.csv"
    write_trials(path, [TRIAL, replace(TRIAL, trial=3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], bad + b"\n", lines[2]]))
    scan = scan_trials(path)
    assert list(scan.damage) == [3]
    assert what in scan.damage[3]
    assert [t.trial for t in scan.trials] == [1, 3]


@pytest.mark.parametrize(
    ("head", "damaged"), [("", []), ("garbled\n", [1]), ("trial,elap\n", [1]), ("\n", [1])]
)
def test_without_its_header_a_table_is_read_all_the_same(tmp_path, head, damaged):
    path = tmp_path / "trials.csv"
    write_trials(path, [TRIAL, replace(TRIAL, trial=2)])
    path.write_text(head + path.read_text().split("\n", 1)[1])
    scan = scan_trials(path)
    assert scan.header
    assert list(scan.damage) == damaged
    assert [t.trial for t in scan.trials] == [1, 2]


def test_a_cut_off_header_alone_is_damage(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("trial,elap")
    scan = scan_trials(path)
    assert (list(scan.damage), scan.trials) == ([1], [])


def test_a_table_of_another_version_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(
        'trial,kernel,candidate,colour,samples_us,best_us\n7,conv,beef,red,"[2.0, 1.0]",1.5\ncut\n'
    )
    scan = scan_trials(path)
    assert "another version" in scan.header
    assert list(scan.damage) == [3]
    (row,) = scan.trials
    assert (row.trial, row.kernel, row.candidate, row.best_us) == (7, "conv", "beef", "1.5")
    assert (row.batch, row.elapsed_s, row.error, row.median_us) == (7, 0.0, "", 1.5)


def test_line_ends_of_another_system_are_no_damage(tmp_path):
    path = tmp_path / "trials.csv"
    write_trials(path, [TRIAL])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not scan_trials(path).damage
    assert read_trials(path) == [TRIAL]


def workload(name):
    return json.dumps([name, f"module {name}"]).encode() + b"\n"


def record(index, seconds="[1.8110362573099412378e-06]"):
    trace = '[[["GetSBlock",[],["main"],["b0"]]],[[0,[1,2]]]]'
    return f'[{index},[{trace},{seconds},{{"kind":"llvm"}},[["TENSOR","float32",[1]]]]]\n'.encode()


def database(folder, workloads, records):
    (folder / WORKLOADS).write_bytes(b"".join(workloads))
    (folder / RECORDS).write_bytes(b"".join(records))
    return folder


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"\n", "empty line"),
        (b"  \n", "empty line"),
        (b"\0\0\0\n", "NUL bytes"),
        (record(0)[:-1] + b"\0\0\n", "NUL bytes"),
        (record(0)[:40] + b"\xff\n", "not UTF-8"),
        (record(0)[:40] + b"\n", "not JSON"),
        (record(0)[40:], "not JSON"),
        (b"[" * 100000 + b"\n", "not JSON"),
        (b"5\n", "not a record"),
        (b"null\n", "not a record"),
        (b"[0]\n", "not a record"),
        (b"[true" + record(0)[2:], "not a record"),
        (b"[0.0" + record(0)[2:], "not a record"),
        (b'["0"' + record(0)[2:], "not a record"),
        (b"[0,[1,2,3,4]]\n", "its trace has another shape"),
        (record(0).replace(b'["b0"]', b'"b0"'), "its trace has another shape"),
        (record(0).replace(b"[0,[1,2]]]", b"[[1,2]]]"), "its trace has another shape"),
        (record(0, "[NaN]"), "not JSON"),
        (record(0, '["fast"]'), "no list of numbers"),
        (record(0, "3"), "no list of numbers"),
        (record(0).replace(b'{"kind":"llvm"}', b"[]"), "target is no object"),
        (record(0).replace(b'[["TENSOR","float32",[1]]]', b"[5]"), "arguments are no list"),
        (record(99), "names workload 99, which is not there"),
        (record(-1), "names workload -1, which is not there"),
        (record(0)[:-1], "cut off"),
    ],
)
def test_a_damaged_record_is_left_out(tmp_path, bad, what):
    cut = not bad.endswith(b"\n")
    good = [record(0), record(1)]
    database(tmp_path, [workload("a"), workload("b")], [*good, bad] if cut else [bad, *good])
    scan = scan_database(tmp_path)
    assert not scan.workloads.damage
    ((number, text),) = scan.records.damage.items()
    assert number == (3 if cut else 1)
    assert what in text
    assert scan.sound() == ([workload("a"), workload("b")], good)


@pytest.mark.parametrize(
    "bad", [b"\n", b"5\n", b'["h"]\n', b'["h", 3]\n', b'["h1", "w\n', b"\0\0\n", b"\xff\n"]
)
def test_records_follow_their_workloads_when_one_is_lost(tmp_path, bad):
    records = [record(0), record(1), record(2), record(2, "[2.5e-06]"), b'[0, "cut']
    database(tmp_path, [workload("a"), bad, workload("c")], records)
    scan = scan_database(tmp_path)
    assert (len(scan.workloads.damage), len(scan.records.damage)) == (1, 2)
    # Floats keep every digit: a record that moved is still the same bytes after its number.
    moved = [record(0), record(1), record(1, "[2.5e-06]")]
    assert scan.sound() == ([workload("a"), workload("c")], moved)


def test_a_repeated_workload_counts_once_and_its_records_go_to_the_first(tmp_path):
    records = [record(0), record(1), record(2)]
    database(tmp_path, [workload("a"), workload("a"), workload("c")], records)
    scan = scan_database(tmp_path)
    assert (len(scan.workloads.damage), len(scan.records.damage)) == (1, 0)
    assert scan.sound() == ([workload("a"), workload("c")], [record(0), record(0), record(1)])


def test_records_without_the_file_of_workloads_are_left_out(tmp_path):
    (tmp_path / RECORDS).write_bytes(record(0) + record(1))
    scan = scan_database(tmp_path)
    assert len(scan.records.damage) == 2
    assert scan.sound() == ([], [])


def killed_while_replacing(folder, decided, done):
    """A log as an earlier version left it, killed while it renumbered the records."""
    database(folder, [workload("a"), workload("b")], [record(1)])
    new = {WORKLOADS: workload("b"), RECORDS: record(0)}
    for name, content in new.items():
        (folder / f"{name}.new").write_bytes(content)
    (folder / "recovery.decided").write_text("".join(f"{name}\n" for name in new)[:decided])
    for name in list(new)[:done]:
        (folder / f"{name}.new").replace(folder / name)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_kill_between_two_files_does_not_part_records_from_workloads(tmp_path, done):
    killed_while_replacing(tmp_path, None, done)
    assert scan_database(tmp_path).sound() == ([workload("b")], [record(0)])


@pytest.mark.parametrize("decided", [0, 10, 30])
def test_a_replacement_that_was_not_decided_on_does_not_count(tmp_path, decided):
    killed_while_replacing(tmp_path, decided, 0)
    assert scan_database(tmp_path).sound() == ([workload("a"), workload("b")], [record(1)])


def test_looking_through_many_records_takes_seconds(tmp_path):
    instruction = ["SamplePerfectTile", ["l4"], [4, 64], ["v11", "v12", "v13", "v14"]]
    trace = json.dumps([[instruction] * 60, [[7, [1, 1, 1, 4]]] * 9])
    line = f'[0,[{trace},[1e-06],{{"kind":"llvm"}},[]]]\n'.encode()
    database(tmp_path, [workload("a")], [line] * 20000 + [line[:50]])
    started = time.process_time()
    assert len(scan_database(tmp_path).records.damage) == 1
    assert time.process_time() - started < 10


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
