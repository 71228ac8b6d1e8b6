"""Logs of real searches: damage, going on after it, the command line, stock TVM's own check."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import MEASURE
from rivulet.kernels.store import save_kernels
from rivulet.measure.bench import Bench
from rivulet.records import TuningLog
from rivulet.records.check import check_log, repair_log
from rivulet.records.cli import main
from rivulet.records.log import RECORDS, TRIALS, WORKLOADS
from rivulet.records.naming import load_workloads, name_workloads
from rivulet.records.prefix import drop_unrecorded
from rivulet.records.stored import read_log
from rivulet.records.trials import HEADER
from rivulet.records.validate import sample_records, validate_records
from rivulet.tvm_compat.arguments import argument_infos
from rivulet.tvm_compat.names import candidate_name, measured_schedule
from tuning_runs import run_search

ROOT = Path(__file__).resolve().parents[2]
TRIALS_MEASURED = 16


def quiet(*_):
    pass


def search(kernels, target, trials, folder, bench, logger):
    log = TuningLog(folder, logger)
    run_search(kernels, target, trials, log, bench)
    return log


@pytest.fixture(scope="module")
def searched(kernels, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "log"
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        search(kernels, target, TRIALS_MEASURED, folder, bench, logging.getLogger("test"))
    return folder


@pytest.fixture
def copy(searched, tmp_path):
    return Path(shutil.copytree(searched, tmp_path / "log"))


def edit(path, change):
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def put(position, content):
    def change(lines):
        lines.insert(position, content)

    return change


def rewrite(position, change_value):
    def change(lines):
        value = json.loads(lines[position])
        lines[position] = json.dumps(change_value(value)).encode() + b"\n"

    return change


def without_trials_of(kernel):
    def change(lines):
        lines[:] = [line for line in lines if kernel.encode() not in line.split(b",")]

    return change


def unknown_instruction(record):
    record[1][0][0][0][0] = "NoSuchInstruction"
    return record


def unknown_block(record):
    record[1][0][0][0][2] = ["no_such_block", "main"]
    return record


def garbled_module(workload):
    return [workload[0], workload[1][:1000] + "!!" + workload[1][1000:]]


DAMAGE = {
    "last record cut": (RECORDS, lambda lines: lines.append(lines[-1][:500]), 0),
    "last workload cut": (WORKLOADS, lambda lines: lines.append(lines[-1][:500]), 0),
    "garbled bytes": (RECORDS, put(3, b"\x00\xff\xfe garbage\n"), 0),
    "empty line": (RECORDS, put(3, b"\n"), 0),
    "a number": (RECORDS, put(3, b"5\n"), 0),
    "too short": (RECORDS, put(3, b"[0]\n"), 0),
    "unknown workload": (RECORDS, rewrite(0, lambda record: [99, record[1]]), 1),
    "unknown instruction": (RECORDS, rewrite(4, unknown_instruction), 1),
    "trace that does not apply": (RECORDS, rewrite(4, unknown_block), 1),
    "unknown target": (RECORDS, rewrite(2, lambda r: [r[0], [*r[1][:2], {"kind": "x"}, []]]), 1),
    "NUL bytes": (RECORDS, lambda lines: lines.append(b"\0" * 4096), 0),
    "row cut": (TRIALS, lambda lines: lines.append(lines[-1][:20]), 0),
    "header garbled": (TRIALS, lambda lines: lines.__setitem__(0, b"\xff\n"), 0),
    "header missing": (TRIALS, lambda lines: lines.pop(0), 0),
    "row of NUL bytes": (TRIALS, put(2, b"\0\0\0\n"), 0),
}


def same_kernels(kernels, target, folder):
    """Does each kernel's best record in a log belong to it, by the trial of the same code?"""
    log = TuningLog(folder)
    for kernel in kernels:
        for record in log.best_records(kernel, 1):
            name = candidate_name(measured_schedule(record).mod)
            assert name in {t.candidate for t in log.trials if t.kernel == kernel.task}
    return log


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_set_aside_with_one_warning_and_the_rest_is_used(
    copy, kernels, target, caplog, kind
):
    from tvm.s_tir import meta_schedule as ms

    name, change, lost = DAMAGE[kind]
    edit(copy / name, change)
    with caplog.at_level(logging.WARNING, "test"):
        log = TuningLog(copy, logging.getLogger("test"))
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert str(copy / name) in warning
    assert (copy / f"{name}.damaged").exists() == (kind != "header missing")
    assert len(log.database) == TRIALS_MEASURED - lost
    assert len(log.trials) == TRIALS_MEASURED
    assert len(ms.database.JSONDatabase(work_dir=str(copy))) == len(log.database)
    caplog.clear()
    same_kernels(kernels, target, copy)
    TuningLog(copy, logging.getLogger("test"))
    assert not caplog.records


def test_a_lost_workload_takes_its_own_records_alone(copy, kernels, target, caplog):
    edit(copy / WORKLOADS, rewrite(1, garbled_module))
    lost = sum(line.startswith(b"[1,") for line in (copy / RECORDS).read_bytes().splitlines())
    with caplog.at_level(logging.WARNING, "test"):
        log = TuningLog(copy, logging.getLogger("test"))
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 2
    assert lost > 0
    assert len(log.database) == TRIALS_MEASURED - lost
    same_kernels(kernels, target, copy)


def test_a_missing_file_of_workloads_leaves_a_log_to_go_on_with(copy, kernels, target, bench):
    (copy / WORKLOADS).unlink()
    log = search(kernels, target, TRIALS_MEASURED + 2, copy, bench, logging.getLogger("test"))
    assert len(log.trials) == TRIALS_MEASURED + 2
    assert 0 < len(log.database) <= 2
    assert len(TuningLog(copy).database) == len(log.database)


def test_after_a_repeated_workload_new_ones_get_their_own_records(copy, kernels, target):
    last = json.loads((copy / WORKLOADS).read_bytes().splitlines()[-1])[0]
    log = TuningLog(copy)
    newest = next(k for k in kernels if log.best_records(k, 1)[0].workload.as_json()[0] == last)
    record = log.best_records(newest, 1)[0]
    # A log that does not know the newest kernel, in which another one stands twice.
    edit(copy / WORKLOADS, lambda lines: lines.__setitem__(-1, lines[0]))
    (copy / RECORDS).write_bytes(b"")
    log = TuningLog(copy)
    assert not log.database.has_workload(newest.module)
    log.commit(newest, record.trace, 1e-6, target, record.args_info)
    (again,) = TuningLog(copy).best_records(newest, 1)
    assert candidate_name(measured_schedule(again).mod) == candidate_name(
        measured_schedule(record).mod
    )


def test_a_search_goes_on_after_every_kind_of_damage_at_once(copy, kernels, target, bench, logger):
    for kind in ("unknown instruction", "garbled bytes", "empty line", "NUL bytes"):
        edit(copy / DAMAGE[kind][0], DAMAGE[kind][1])
    for kind in ("row of NUL bytes", "header garbled", "row cut"):
        edit(copy / TRIALS, DAMAGE[kind][1])
    before = {(t.kernel, t.candidate) for t in TuningLog(copy).trials}
    log = search(kernels, target, TRIALS_MEASURED + 4, copy, bench, logger)
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen)) == TRIALS_MEASURED + 4
    assert before < set(seen)
    assert (copy / TRIALS).read_text().splitlines()[0] == HEADER


@pytest.mark.parametrize(
    "damage",
    [
        # A kill after the database was written and before trials.csv was.
        lambda lines: lines.__delitem__(slice(TRIALS_MEASURED - 2, None)),
        lambda lines: lines.__delitem__(slice(1, None)),
        lambda lines: lines.__setitem__(5, lines[5][:10] + b"\n"),
    ],
    ids=["last rows lost", "all rows lost", "a row garbled"],
)
def test_a_search_goes_on_from_the_trials_that_both_files_know(
    copy, kernels, target, bench, logger, damage
):
    edit(copy / TRIALS, damage)
    kept = drop_unrecorded(copy, logger)
    log = search(kernels, target, TRIALS_MEASURED + 1, copy, bench, logger)
    assert log.trials[: len(kept)] == kept
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen)) == TRIALS_MEASURED + 1
    assert len({t.trial for t in log.trials}) == len(log.trials)
    assert len(log.database) == sum(not t.error for t in log.trials)


def test_check_names_what_tvm_refuses_and_repair_makes_it_load(copy, capsys):
    edit(copy / RECORDS, DAMAGE["unknown instruction"][1])
    edit(copy / RECORDS, DAMAGE["trace that does not apply"][1])
    before = {p.name: p.read_bytes() for p in copy.iterdir()}
    assert check_log(copy, load=False).damage() == []
    assert main(["check", str(copy)]) == 1
    assert f"{RECORDS}:5: TVM cannot read the record" in capsys.readouterr().out
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == before
    assert repair_log(copy) == {WORKLOADS: 0, RECORDS: 1, TRIALS: 0}
    assert main(["check", str(copy)]) == 0


def test_a_kernels_best_schedule_is_shown_readably(copy, kernels, capsys):
    before = {p.name: p.read_bytes() for p in copy.iterdir()}
    kernel = max(kernels, key=lambda k: k.flops)
    assert main(["show", str(copy), "--kernel", kernel.task, "--trace", "--tir"]) == 0
    text = capsys.readouterr().out
    assert "sch.sample_perfect_tile(" in text
    assert "sch.enter_postproc()" in text
    assert "@T.prim_func" in text
    assert main(["show", str(copy), "--kernel", kernel.task, "--json"]) == 0
    detail = json.loads(capsys.readouterr().out)
    best = TuningLog(copy).best_records(kernel, 1)[0]
    assert detail["latency_us"] == pytest.approx(float(best.run_secs[0]) * 1e6, abs=1e-3)
    trial = next(t for t in TuningLog(copy).trials if t.trial == detail["trial"])
    assert (trial.kernel, trial.candidate) == (kernel.task, detail["candidate"])
    assert detail["samples_us"] == trial.samples
    tiles = [d["value"] for d in detail["decisions"] if d["kind"] == "SamplePerfectTile"]
    assert len(tiles) >= 7
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == before


def test_a_kernel_without_a_trial_is_known_by_the_models_table(copy, kernels, tmp_path, capsys):
    """As are those of a log with droplet that the droplet did not look at."""
    kernel = max(kernels, key=lambda k: k.flops)
    loaded = load_workloads(read_log(copy))
    every = name_workloads(read_log(copy), loaded)
    assert sorted(every.values()) == sorted(k.task for k in kernels)
    edit(copy / TRIALS, without_trials_of(kernel.task))
    log = read_log(copy)
    (place,) = (number for number, name in every.items() if name == kernel.task)
    assert log.trials
    assert name_workloads(log, loaded) == {n: t for n, t in every.items() if n != place}
    assert main(["show", str(copy), "--kernel", kernel.task]) == 2
    assert f"no kernel '{kernel.task}' in it; it has " in capsys.readouterr().err
    table = tmp_path / "kernels.csv"
    save_kernels(kernels, table, tmp_path / "kernels.json.gz")
    assert name_workloads(log, loaded, table) == every
    assert main(["show", str(copy), "--kernel", kernel.task, "--kernels", str(table)]) == 0
    assert "not known (no row in trials.csv)" in capsys.readouterr().out
    records = sample_records(log, len(kernels), 1)
    named = [
        {one.kernel for one in validate_records(log, records, 1, 1e-3, 1, tmp_path, table=each)}
        for each in (table, None)
    ]
    assert main(["validate", str(copy), "--samples", "99", "--kernels", str(table)]) == 0
    assert f" {kernel.task} (line " in capsys.readouterr().out
    assert named == [set(every.values()), {*every.values(), f"workload {place}"} - {kernel.task}]


def test_merged_and_pruned_logs_are_opened_by_stock_tvm(copy, kernels, target, tmp_path):
    from tvm.s_tir import meta_schedule as ms

    assert main(["merge", str(tmp_path / "merged"), str(copy)]) == 0
    assert main(["prune", str(tmp_path / "best"), str(tmp_path / "merged"), "--best", "1"]) == 0
    merged = ms.database.JSONDatabase(work_dir=str(tmp_path / "merged"))
    best = ms.database.JSONDatabase(work_dir=str(tmp_path / "best"))
    assert (len(merged), len(best)) == (TRIALS_MEASURED, len(kernels))
    for kernel in kernels:
        one = merged.query_tuning_record(kernel.module, target, "main")
        other = best.query_tuning_record(kernel.module, target, "main")
        assert [float(s) for s in one.run_secs] == [float(s) for s in other.run_secs]


def test_validate_passes_right_schedules_and_finds_a_wrong_one(copy, kernels, target, capsys):
    from tvm.s_tir import Schedule

    count = len(kernels)
    assert main(["validate", str(copy), "--samples", str(count), "--threads", "1"]) == 0
    assert f"{count} of {count} schedules are right" in capsys.readouterr().out
    kernel = max(kernels, key=lambda k: k.flops)
    log = TuningLog(copy)
    schedule = Schedule(kernel.module)
    # The one kind of step that changes what is computed: sums are kept as whole numbers.
    schedule.unsafe_set_dtype("conv2d_nhwc", 0, "int32")
    log.commit(kernel, schedule.trace, 1e-9, target, argument_infos(schedule.mod))
    assert main(["validate", str(copy), "--samples", str(count), "--threads", "1"]) == 1
    printed = capsys.readouterr().out
    assert f"(line {TRIALS_MEASURED + 1}): its output differs" in printed
    assert f"{count - 1} of {count} schedules are right" in printed


# The check calls two things on a compiled module that this TVM's `compile` does not give it any
# more; without them it fails on any database. And it hands a kernel the weights as the unscheduled
# one takes them, while TVM's builder takes the packing of weights out of the kernel: here the
# builder leaves it in, so that the check sees all that a schedule does.
SITE = """
import sys
command = " ".join(sys.orig_argv)
if "popen_worker" in command or "validate_database" in command:
    from rivulet.tvm_compat import load_tvm
    load_tvm()
    from tvm.runtime import Executable
    Executable.entry_name = "main"
    Executable.time_evaluator = lambda self, *args, **kwargs: self.jit().time_evaluator(
        *args, **kwargs
    )
    from tvm.s_tir import transform
    transform.RemoveWeightLayoutRewriteBlock = lambda *_, **__: lambda module: module
"""


def test_stock_validate_database_passes_a_log(searched, kernels, target, tmp_path):
    """TVM's own check; what keeps it from running at all is mended in the processes it starts."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    source = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    done = subprocess.run(
        [
            sys.executable, "-m", "tvm.s_tir.meta_schedule.testing.validate_database",
            "--work-dir", str(searched), "--target", str(target), "--top-k", "1",
            "--cpu-flush", "False", "--min-repeat-ms", "1",
        ],
        env={**os.environ, "PYTHONPATH": source, "TVM_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("result:       pass") == len(kernels), done.stdout[-3000:]
