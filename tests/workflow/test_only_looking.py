"""Snakemake's commands that only look change nothing; a run puts right what copies have lost."""

import json
import os
import platform
import re
import shutil

import pytest

from snapshot import snapshot
from workflow.conftest import copied

LOG = "results/local/logs/ansor-24/wide/log.json"
TRIALS = "results/local/logs/ansor-24/wide/trials.csv"
LOOKING = (
    ["-n"],
    ["-n", "--quiet", "all"],
    ["--lint"],
    ["--list-rules"],
    ["--list-target-rules"],
    ["--dag"],
    ["--rulegraph"],
    ["--filegraph"],
    ["--summary"],
    ["--detailed-summary"],
    ["--list-changes", "params"],
    ["--list-untracked"],
    ["--report", "OUTSIDE"],
)
# One of each kind, for the states in which the others have nothing else to see.
FEWER = (["-n"], ["--lint"], ["--dag"], ["--summary"], ["--report", "OUTSIDE"])
# What Snakemake itself writes then: a log of each call, what a dry run has seen of files, which it
# takes into account with --trust-io-cache only, and the folder of its locks, empty.
OWN = re.compile(r"\.snakemake(/log(/[^/]+\.snakemake\.log)?|/iocache(/latest\.pkl)?|/locks)?")


def lock(checkout):
    own = checkout.folder / ".snakemake"
    (own / "locks").mkdir(exist_ok=True)
    (own / "locks/0.output.lock").write_text("results/benchmarks.csv\n")
    (own / "rivulet-owners.json").write_text(json.dumps([[platform.node(), 2**22 + 1, 1.0]]))


def remove(checkout):
    (checkout.folder / TRIALS).unlink()


def copy(checkout):
    """As after copying: no word of Snakemake, and times in an unhelpful order."""
    shutil.rmtree(checkout.folder / ".snakemake")
    files = sorted(path for path in checkout.folder.glob("results/**/*") if path.is_file())
    for age, path in enumerate(files):
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))


def nothing(checkout):
    pass


NOTES = {
    nothing: [],
    lock: ["note: an earlier run was killed and has left its lock; the next run releases it"],
    remove: [
        "note: 1 artefact is not as Snakemake expects (copied here, without a file, or with an "
        "input written anew), so that what it shows may not hold; a run puts that right before it "
        "plans, and 'rivulet adopt --configfile config/test.yaml' does so now"
    ],
    copy: [r"note: \d+ artefacts are not as Snakemake expects .*"],
}


@pytest.mark.parametrize("change", NOTES, ids=lambda change: change.__name__)
def test_looking_changes_nothing(small_matrix, tmp_path, change):
    checkout = copied(small_matrix, tmp_path / "checkout")
    change(checkout)
    if change is copy:
        checkout.plan()  # Snakemake makes its own folders at its first call
    before = snapshot(checkout.folder)
    for command in LOOKING if change is copy else FEWER:
        run = checkout.snakemake(
            *(str(tmp_path / "report.zip") if word == "OUTSIDE" else word for word in command)
        )
        assert run.code == 0, (command, run.text)
        after = snapshot(checkout.folder)
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert [path for path in sorted(changed) if not OWN.fullmatch(path)] == [], command
    notes = [line for line in checkout.plan().text.splitlines() if line.startswith("note:")]
    expected = NOTES[change]
    assert len(notes) == len(expected)
    assert all(re.fullmatch(re.escape(e) if ".*" not in e else e, n)
               for e, n in zip(expected, notes, strict=True))  # fmt: skip


def test_after_adopting_copied_results_the_plan_holds(small_matrix, tmp_path):
    checkout = copied(small_matrix, tmp_path)
    copy(checkout)
    assert checkout.plan().jobs != {}
    assert re.fullmatch(r"\d+ artefacts adopted\n", checkout.adopt())
    run = checkout.plan()
    assert run.jobs == {}
    assert "note:" not in run.text
    assert checkout.adopt() == "nothing to adopt\n"
    missing = checkout.rivulet("adopt", "--configfile", "none.yaml")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: none.yaml: ")
    assert len(missing.stderr.splitlines()) == 1


def test_a_run_adopts_copied_results_by_itself(small_matrix, tmp_path):
    checkout = copied(small_matrix, tmp_path)
    copy(checkout)
    run = checkout.snakemake()
    assert run.code == 0, run.text
    assert "Nothing to be done" in run.text
    assert "note:" not in run.text


def test_a_run_makes_a_removed_file_copied(small_matrix, tmp_path):
    checkout = copied(small_matrix, tmp_path)
    remove(checkout)
    run = checkout.snakemake(LOG)
    assert run.code == 0, run.text
    note = f"note: {TRIALS} is missing; what {LOG} tells of is made again where it is needed"
    assert note in run.text.splitlines()
    assert (checkout.folder / TRIALS).exists()


def test_a_run_releases_the_lock_of_a_dead_one(small_matrix, tmp_path):
    checkout = copied(small_matrix, tmp_path)
    lock(checkout)
    run = checkout.snakemake()
    assert run.code == 0, run.text
    assert "the lock of an earlier run that was killed is released" in run.text
