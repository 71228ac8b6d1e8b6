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
from rivulet.log_tools.cli import main
from rivulet.log_tools.validate import sample_records, validate_records
from rivulet.measure.bench import Bench
from rivulet.records import TuningLog
from rivulet.records.files import RECORDS, TRIALS, WORKLOADS
from rivulet.records.journal import publish
from rivulet.records.naming import load_workloads, name_workloads
from rivulet.records.stored import log_trials, read_log
from rivulet.records.thinned import open_thinned
from rivulet.records.trials import HEADER
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
def journal(kernels, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "journal"
    with Bench(target, 1, MEASURE, tmp_path_factory.mktemp("bench")) as bench:
        search(kernels, target, TRIALS_MEASURED, folder, bench, logging.getLogger("test"))
    return folder


@pytest.fixture(scope="module")
def searched(journal):
    """The log as it is published, and as earlier versions had it grow."""
    publish(journal, journal.parent / "log")
    return journal.parent / "log"


@pytest.fixture
def copy(searched, tmp_path):
    return Path(shutil.copytree(searched, tmp_path / "log"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


def same_kernels(kernels, schedules, trials):
    """Does each kernel's best record in a log belong to it, by the trial of the same code?"""
    for kernel in kernels:
        for record in schedules.best_records(kernel, 1):
            name = candidate_name(measured_schedule(record).mod)
            assert name in {t.candidate for t in trials if t.kernel == kernel.task}


def warnings_in(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_published_log_is_read_as_far_as_it_can_be(copy, kernels, tmp_path, kind):
    name, change, lost = DAMAGE[kind]
    edit(copy / name, change)
    before = contents(copy)
    log = read_log(copy)
    opened = open_thinned(log, tmp_path / "opened", TRIALS_MEASURED)
    assert len(opened.database) == TRIALS_MEASURED - lost
    assert len(log.trials) == TRIALS_MEASURED
    same_kernels(kernels, opened, log.trials)
    assert main(["check", str(copy)]) == 1
    assert contents(copy) == before


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_log_of_an_earlier_version_is_taken_over_as_far_as_it_can_be(
    copy, kernels, caplog, kind
):
    name, change, lost = DAMAGE[kind]
    edit(copy / name, change)
    before = contents(copy)
    with caplog.at_level(logging.WARNING, "test"):
        log = TuningLog(copy, logging.getLogger("test"))
    (warning,) = warnings_in(caplog)
    assert f"{TRIALS_MEASURED} trial(s), {TRIALS_MEASURED - lost} schedule(s); 1 line(s)" in warning
    assert len(log.database) == TRIALS_MEASURED - lost
    assert len(log.trials) == TRIALS_MEASURED
    same_kernels(kernels, log, log.trials)
    caplog.clear()
    again = TuningLog(copy, logging.getLogger("test"))
    assert (len(again.database), again.trials) == (len(log.database), log.trials)
    assert not caplog.records
    after = contents(copy)
    assert {name: after[name] for name in before} == before


def test_a_lost_workload_takes_its_own_records_alone(copy, kernels, tmp_path):
    edit(copy / WORKLOADS, rewrite(1, garbled_module))
    lost = sum(line.startswith(b"[1,") for line in (copy / RECORDS).read_bytes().splitlines())
    assert lost > 0
    log = read_log(copy)
    for opened in (open_thinned(log, tmp_path / "opened", TRIALS_MEASURED), TuningLog(copy)):
        assert len(opened.database) == TRIALS_MEASURED - lost
        same_kernels(kernels, opened, log.trials)


def test_a_missing_file_of_workloads_leaves_a_log_to_go_on_with(copy, kernels, target, bench):
    (copy / WORKLOADS).unlink()
    log = search(kernels, target, TRIALS_MEASURED + 2, copy, bench, logging.getLogger("test"))
    assert len(log.trials) == TRIALS_MEASURED + 2
    assert 0 < len(log.database) <= 2
    assert len(TuningLog(copy).database) == len(log.database)


def test_after_a_repeated_workload_new_ones_get_their_own_records(copy, kernels, journal, target):
    last = json.loads((copy / WORKLOADS).read_bytes().splitlines()[-1])[0]
    whole = TuningLog(journal)
    newest = next(k for k in kernels if whole.best_records(k, 1)[0].workload.as_json()[0] == last)
    record = whole.best_records(newest, 1)[0]
    # A log that does not know the newest kernel, in which another one stands twice.
    edit(copy / WORKLOADS, lambda lines: lines.__setitem__(-1, lines[0]))
    (copy / RECORDS).write_bytes(b"")
    log = TuningLog(copy)
    assert not log.database.has_workload(newest.module)
    log.commit(newest, record.trace, 1e-6, target, arguments=record.args_info)
    log.append([])
    (again,) = TuningLog(copy).best_records(newest, 1)
    assert candidate_name(measured_schedule(again).mod) == candidate_name(
        measured_schedule(record).mod
    )


def test_a_record_belongs_to_the_trial_of_its_candidate(journal, kernels, target, tmp_path):
    """Whether it was named or not, in whichever order they come."""
    kernel = max(kernels, key=lambda k: k.flops)
    one, other = TuningLog(journal).best_records(kernel, 2)
    names = [candidate_name(measured_schedule(record).mod) for record in (one, other)]
    rows = {t.candidate: t for t in log_trials(journal) if t.kernel == kernel.task}
    for number, named in enumerate((names, ("", ""))):
        log = TuningLog(tmp_path / str(number))
        for place, (record, name) in enumerate(zip((one, other), named, strict=True), 1):
            seconds = place * 1e-6
            log.commit(
                kernel, record.trace, seconds, target, arguments=record.args_info, candidate=name
            )
        assert log_trials(log.folder) == []  # nothing is there before the batch
        log.append([rows[names[1]], rows[names[0]]])
        publish(log.folder, tmp_path / f"first-{number}", 1)
        (first,) = read_log(tmp_path / f"first-{number}").records
        assert first.seconds == 2e-6


def test_a_search_goes_on_after_every_kind_of_damage_at_once(
    copy, kernels, target, bench, logger, tmp_path
):
    for kind in ("unknown instruction", "garbled bytes", "empty line", "NUL bytes"):
        edit(copy / DAMAGE[kind][0], DAMAGE[kind][1])
    for kind in ("row of NUL bytes", "header garbled", "row cut"):
        edit(copy / TRIALS, DAMAGE[kind][1])
    before = {(t.kernel, t.candidate) for t in TuningLog(copy).trials}
    log = search(kernels, target, TRIALS_MEASURED + 4, copy, bench, logger)
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen)) == TRIALS_MEASURED + 4
    assert before < set(seen)
    publish(copy, tmp_path / "out")
    assert (tmp_path / "out" / TRIALS).read_text().splitlines()[0] == HEADER
    assert main(["check", str(tmp_path / "out")]) == 0


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
    kept = TuningLog(copy, logger).trials
    log = search(kernels, target, TRIALS_MEASURED + 1, copy, bench, logger)
    assert log.trials[: len(kept)] == kept
    seen = [(t.kernel, t.candidate) for t in log.trials]
    assert len(seen) == len(set(seen)) == TRIALS_MEASURED + 1
    assert len({t.trial for t in log.trials}) == len(log.trials)
    assert len(log.database) == sum(not t.error for t in log.trials)


def test_check_names_what_tvm_refuses_and_repair_writes_what_loads(copy, tmp_path, capsys):
    edit(copy / RECORDS, DAMAGE["unknown instruction"][1])
    edit(copy / RECORDS, DAMAGE["trace that does not apply"][1])
    before = contents(copy)
    assert main(["check", str(copy), "--quick"]) == 0
    assert main(["check", str(copy)]) == 1
    assert f"{RECORDS}:5: TVM cannot read the record" in capsys.readouterr().out
    assert main(["check", str(copy), "--repair", str(tmp_path / "sound")]) == 1
    assert contents(copy) == before
    assert main(["check", str(tmp_path / "sound")]) == 0
    expected = f"sound; {TRIALS_MEASURED - 1} schedules, {TRIALS_MEASURED} trials"
    assert expected in capsys.readouterr().out


def test_a_kernels_best_schedule_is_shown_readably(copy, journal, kernels, capsys):
    before = contents(copy)
    kernel = max(kernels, key=lambda k: k.flops)
    assert main(["best", kernel.task, "--log", str(copy)]) == 0
    text = capsys.readouterr().out
    assert "sch.sample_perfect_tile(" in text
    assert "sch.enter_postproc()" in text
    assert "@T.prim_func" in text
    assert main(["best", kernel.task, "--log", str(copy), "--json"]) == 0
    detail = json.loads(capsys.readouterr().out)
    log = TuningLog(journal)
    best = log.best_records(kernel, 1)[0]
    assert detail["latency_us"] == pytest.approx(float(best.run_secs[0]) * 1e6, abs=1e-3)
    trial = next(t for t in log.trials if t.trial == detail["trial"])
    assert (trial.kernel, trial.candidate) == (kernel.task, detail["candidate"])
    assert detail["samples_us"] == trial.samples
    tiles = [d["value"] for d in detail["decisions"] if d["kind"] == "SamplePerfectTile"]
    assert len(tiles) >= 7
    assert contents(copy) == before
    # A log that grows is shown as one that is published.
    assert main(["best", kernel.task, "--log", str(journal), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == detail


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
    assert main(["best", kernel.task, "--log", str(copy)]) == 2
    assert f"no kernel '{kernel.task}' in it; it has " in capsys.readouterr().err
    table = tmp_path / "kernels.csv"
    save_kernels(kernels, table, tmp_path / "kernels.json.gz")
    assert name_workloads(log, loaded, table) == every
    assert main(["best", kernel.task, "--log", str(copy), "--kernels", str(table)]) == 0
    assert "not known (no row in trials.csv)" in capsys.readouterr().out
    records = sample_records(log, len(kernels), 1)
    named = [
        {
            one.kernel
            for one in validate_records(log, records, 1, 1e-3, seed=1, scratch=tmp_path, table=each)
        }
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
    log.commit(kernel, schedule.trace, 1e-9, target, arguments=argument_infos(schedule.mod))
    log.append([])
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
