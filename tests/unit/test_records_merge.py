"""Logs read, summarised, merged and pruned as they lie on disk, without TVM."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rivulet.errors import UserError
from rivulet.log_tools.cli import main
from rivulet.log_tools.merge import merge_logs, prune_log
from rivulet.log_tools.overview import failure_counts, overview
from rivulet.provenance import write_record
from rivulet.records.stored import read_log
from rivulet.records.trials import Trial, read_trials, write_trials

ROOT = Path(__file__).resolve().parents[2]
TARGET = {"kind": "llvm", "mcpu": "generic", "num-cores": 1}


def record_line(workload, trace, microseconds, target=TARGET):
    body = [[[[trace, [], [], []]], []], [microseconds * 1e-6], target, []]
    return json.dumps([workload, body], separators=(",", ":")) + "\n"


def trial(number, kernel, candidate, microseconds, best, elapsed=1.0, error="", batch=1):
    samples = f"[{microseconds}]" if microseconds else "[]"
    return Trial(
        number, elapsed, kernel, batch, "evolutionary", candidate, 0.1, 0.2, 0.3, samples, error,
        f"{best:.4f}" if best else "", "0.5",
    )  # fmt: skip


def make_log(folder, workloads, records, trials, **about):
    folder.mkdir(parents=True)
    (folder / "database_workload.json").write_text(
        "".join(json.dumps([name, f"module {name}"]) + "\n" for name in workloads)
    )
    (folder / "database_tuning_record.json").write_text("".join(records))
    write_trials(folder / "trials.csv", trials)
    if about:
        settings = {"fingerprint": about.get("fingerprint", "f1"), "tvm": about.get("tvm", "0.27")}
        subject = {"model": about.get("model", "small"), "hardware": "local"}
        write_record(
            folder / "log.json", "search", subject, settings, inputs=about.get("inputs", []),
            outputs=[folder / "trials.csv"],
        )  # fmt: skip
    return folder


@pytest.fixture
def first(tmp_path):
    return make_log(
        tmp_path / "first",
        ["wa", "wb"],
        [record_line(0, "t1", 5), record_line(1, "t2", 9), record_line(0, "t3", 4)],
        [
            trial(1, "a", "c1", 5, 5, elapsed=2.0),
            trial(2, "b", "c2", 9, 9, elapsed=3.0, batch=2),
            trial(3, "a", "c3", 4, 4, elapsed=4.5, batch=3),
        ],
        model="small",
    )


@pytest.fixture
def second(tmp_path):
    return make_log(
        tmp_path / "second",
        ["wb", "wa"],
        [record_line(0, "t4", 8), record_line(1, "t1", 3), record_line(1, "t5", 6)],
        [
            trial(1, "b", "c4", 8, 8, elapsed=1.0),
            trial(2, "a", "c1", 3, 3, elapsed=2.0, batch=2),
            trial(3, "a", "c5", 6, 3, elapsed=2.0, batch=2),
            trial(4, "a", "c6", 0, 3, elapsed=2.0, batch=2, error="run timeout: 10 s"),
        ],
        model="small",
    )


def schedules(folder):
    """(workload's hash, trace, microseconds) of each record."""
    workloads = [json.loads(line)[0] for line in lines(folder / "database_workload.json")]
    found = []
    for line in lines(folder / "database_tuning_record.json"):
        index, body = json.loads(line)
        found.append((workloads[index], body[0][0][0][0], round(body[1][0] * 1e6)))
    return found


def lines(path):
    return path.read_text().splitlines()


def contents(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_merging_keeps_what_logs_share_once_and_records_with_their_workloads(
    first, second, tmp_path
):
    merge_logs(tmp_path / "out", [read_log(first), read_log(second)])
    assert schedules(tmp_path / "out") == [
        ("wa", "t1", 5), ("wb", "t2", 9), ("wa", "t3", 4), ("wb", "t4", 8), ("wa", "t5", 6),
    ]  # fmt: skip
    assert len(lines(tmp_path / "out/database_workload.json")) == 2


def test_merged_trials_go_on_in_number_time_and_best(first, second, tmp_path):
    merge_logs(tmp_path / "out", [read_log(first), read_log(second)])
    rows = read_trials(tmp_path / "out/trials.csv")
    assert [t.trial for t in rows] == [1, 2, 3, 4, 5, 6]
    assert [t.candidate for t in rows] == ["c1", "c2", "c3", "c4", "c5", "c6"]
    assert [t.elapsed_s for t in rows] == [2.0, 3.0, 4.5, 5.5, 6.5, 6.5]
    assert [t.batch for t in rows] == [1, 2, 3, 4, 5, 5]
    assert [t.best_us for t in rows] == ["5.0000", "9.0000", "4.0000", "8.0000"] + ["3.0000"] * 2
    assert [t.model_ms for t in rows] == ["0.5"] * 3 + [""] * 3


def test_a_merged_log_says_where_it_comes_from_and_can_be_merged_again(first, second, tmp_path):
    merge_logs(tmp_path / "out", [read_log(first), read_log(second)])
    origin = read_log(tmp_path / "out").origin
    assert (origin.model, origin.hardware, origin.settings["fingerprint"]) == (
        "small", "local", "f1",
    )  # fmt: skip
    assert [log["record"]["stage"] for log in origin.facts["logs"]] == ["search", "search"]
    other = make_log(tmp_path / "other", ["wa"], [], [], fingerprint="f2")
    with pytest.raises(UserError, match=r"different fingerprints \(f1 and f2\)"):
        merge_logs(tmp_path / "again", [read_log(tmp_path / "out"), read_log(other)])


def test_kernels_of_different_models_are_kept_apart(first, tmp_path):
    other = make_log(
        tmp_path / "other", ["wx"], [record_line(0, "t1", 7)], [trial(1, "a", "c1", 7, 7)],
        model="large",
    )  # fmt: skip
    merge_logs(tmp_path / "out", [read_log(first), read_log(other)])
    rows = read_trials(tmp_path / "out/trials.csv")
    assert [t.kernel for t in rows] == ["small/a", "small/b", "small/a", "large/a"]


@pytest.mark.parametrize(
    ("about", "target", "said"),
    [
        ({"fingerprint": "f2"}, TARGET, "different fingerprints"),
        ({"tvm": "0.28"}, TARGET, "different TVM versions"),
        ({}, {**TARGET, "num-cores": 2}, "different targets"),
    ],
)
def test_logs_that_do_not_compare_are_not_merged(first, tmp_path, about, target, said):
    other = make_log(tmp_path / "other", ["wa"], [record_line(0, "t9", 1, target)], [], **about)
    with pytest.raises(UserError, match=said) as refused:
        merge_logs(tmp_path / "out", [read_log(first), read_log(other)])
    assert str(first) in str(refused.value)
    assert str(other) in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_nothing_half_written_is_left_when_merging_fails(first, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("keep")
    with pytest.raises(UserError, match="there already"):
        merge_logs(tmp_path / "out", [read_log(first)])
    assert (tmp_path / "out/mine").read_text() == "keep"
    stored = read_log(first)
    stored.database.records.lines[1] = b"[1,not json\n"  # as if the disk failed meanwhile
    with pytest.raises(ValueError, match="Expecting value"):
        merge_logs(tmp_path / "new", [stored])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "out"]


def test_pruning_keeps_the_fastest_of_each_workload(first, tmp_path):
    prune_log(tmp_path / "out", read_log(first), best=1)
    assert schedules(tmp_path / "out") == [("wb", "t2", 9), ("wa", "t3", 4)]
    assert read_trials(tmp_path / "out/trials.csv") == read_trials(first / "trials.csv")
    prune_log(tmp_path / "bare", read_log(first), best=9, keep_trials=False)
    assert len(schedules(tmp_path / "bare")) == 3
    assert read_trials(tmp_path / "bare/trials.csv") == []


def test_failed_records_of_stock_tvm_are_never_the_best(tmp_path):
    folder = make_log(
        tmp_path / "log", ["wa"], [record_line(0, "failed", 1e15), record_line(0, "ran", 3)], []
    )
    prune_log(tmp_path / "out", read_log(folder), best=5)
    assert [trace for _, trace, _ in schedules(tmp_path / "out")] == ["ran"]


def test_the_overview_counts_by_kernel_and_reason(second, tmp_path):
    table = tmp_path / "results/local/kernels/small.csv"
    table.parent.mkdir(parents=True)
    table.write_text("task,class,shapes,dtype,flops,weight,workload\na,x,1,float32,6000,1,0f\n")
    one = overview(read_log(second), table)
    a = next(row for row in one.kernels if row.kernel == "a")
    assert (a.trials, a.failed, a.best_us, a.gflops) == (3, 1, 3.0, 2.0)
    assert (a.found_at_trial, a.found_after_s) == (2, 2.0)
    assert next(row for row in one.kernels if row.kernel == "b").gflops is None
    assert one.failures == [(1, "run timeout: 10 s")]
    assert (one.trials, one.records, one.workloads, one.damaged) == (4, 3, 2, 0)


def test_the_kernel_table_is_found_from_the_logs_record(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = Path("results/local/kernels/small.csv")
    table.parent.mkdir(parents=True)
    table.write_text("task,flops,workload\na,8000,0f\n")
    table.with_suffix(".json").write_text("{}")
    folder = make_log(
        Path("results/local/logs/ansor-4/small"), ["wa"], [], [trial(1, "a", "c1", 4, 4)],
        inputs=[table.with_suffix(".json")],
    )  # fmt: skip
    absolute = folder.resolve()
    monkeypatch.chdir("/")
    assert main(["show", str(absolute), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kernels"][0]["gflops"] == 2.0


def test_reasons_that_differ_in_numbers_alone_are_one():
    rows = [trial(n, "a", f"c{n}", 0, 0, error=f"run crash: at 0x{n}f after {n} s") for n in (1, 2)]
    rows.append(replace(rows[0], error="build error: no"))
    assert [count for count, _ in failure_counts(rows)] == [2, 1]


def test_reading_commands_write_nothing_into_a_log(first, tmp_path, capsys):
    with (first / "trials.csv").open("a") as stream:
        stream.write("4,3.0,cut of")
    before = contents(first)
    assert main(["show", str(first)]) == 0
    assert "1 damaged line(s) are left out" in capsys.readouterr().err
    assert main(["prune", str(tmp_path / "p"), str(first), "--best", "1"]) == 0
    assert main(["merge", str(tmp_path / "m"), str(first)]) == 0
    assert main(["check", str(first), "--quick"]) == 1
    assert contents(first) == before


def test_check_says_where_and_what_and_writes_the_rest_on_request(first, tmp_path, capsys):
    with (first / "database_tuning_record.json").open("a") as stream:
        stream.write("[99,1]\n")
    assert main(["check", str(first), "--quick"]) == 1
    assert "database_tuning_record.json:4: not a record" in capsys.readouterr().out
    before, out = contents(first), tmp_path / "out"
    assert main(["check", str(first), "--quick", "--repair", str(out)]) == 1
    assert f"{out}: 3 of 3 schedules of 2 workloads kept" in capsys.readouterr().out
    assert contents(first) == before
    assert main(["check", str(out), "--quick"]) == 0
    assert "sound; 3 schedules, 3 trials" in capsys.readouterr().out
    assert len(schedules(out)) == 3
    assert read_log(out).origin.settings == read_log(first).origin.settings
    assert main(["check", str(first), "--quick", "--repair", str(out)]) == 2
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "{tmp}/nowhere"], "nowhere: not there; name the folder of a log"),
        (["show", "{tmp}/first/trials.csv"], "trials.csv: a file; name the log's folder"),
        (["show", "{tmp}"], "no log in this folder, which would have trials.csv; there is one in"),
        (["best", "aa", "--log", "{tmp}/first"], "no kernel 'aa' in it; it has a"),
        (["best", "a", "--results", "{tmp}/first"], "no finished log below it"),
        (["show", "{tmp}/first", "--kernels", "{tmp}/first/log.json"], "not a table of kernels"),
        (["merge", "{tmp}/o", "{tmp}/first", "{tmp}/first"], "named twice"),
        (["check", "{tmp}/nowhere"], "not there"),
    ],
)
def test_mistakes_are_told_in_one_line(first, tmp_path, capsys, arguments, said):
    assert main([a.format(tmp=tmp_path) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_command_works_and_loads_no_tvm(first):
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rivulet", "logs", "show", str(first)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "3 schedules of 2 workloads" in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "rivulet.records.stored" in imported
    assert not imported & {"tvm", "numpy", "torch"}
