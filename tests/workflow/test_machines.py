"""Two machines, one report: a real tree, copied as another machine's."""

import json
import os
import shutil

import pytest

from machines import OTHER, as_other_machine
from rivulet.provenance.machines import machines_of
from rivulet.provenance.record import _files_digest, records_below
from workflow.conftest import copied, rows_of

LOCAL = {"threads": 1}


@pytest.fixture(scope="module")
def finished(small_matrix, tmp_path_factory):
    """This machine's run, and the folder of another machine's."""
    checkout = copied(small_matrix, tmp_path_factory.mktemp("here"))
    other = tmp_path_factory.mktemp("there")
    shutil.copytree(checkout.folder / "results", other / "results")
    for name in ("mine", "rules"):
        shutil.copytree(checkout.folder / name, other / name)
    tree = as_other_machine(other, "local", "lab")
    # The copy is what a workflow of that name had made: its records fit together.
    for record in records_below(tree).values():
        assert not [name for name in record.inputs if name.startswith("results/local")]
    checkout.other = other / "results"
    return checkout


def merge(checkout, *arguments):
    return checkout.rivulet("merge", checkout.other, *arguments)


def made(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime, path.read_bytes()) for path in files}


def test_two_machines_in_one_report(finished):
    """In the order in which a person would do it."""
    folder = finished.folder
    both = {"local": LOCAL, "lab": {"at": "elsewhere"}}
    finished.configure(finished.config["models"], logs=["ansor"], hardware=both)

    missing = finished.snakemake("-n")
    assert missing.code == 1
    (line,) = [one for one in missing.text.splitlines() if one.startswith("hardware.lab.at")]
    assert "results/lab/benchmarks/ansor-24/" in line
    assert "run the same config on the machine of 'lab'" in line
    assert "Traceback" not in missing.text

    # What needs no other machine is not held up.
    own = finished.plan("results/local/benchmarks/ansor-24/narrow-to-wide.csv")
    assert own.jobs == {}

    done = merge(finished)
    assert done.returncode == 0, done.stderr
    assert "lab: copied" in done.stdout
    assert f"Another CPU, 1 thread, fingerprint {OTHER}" in done.stdout
    assert "lab: {at: elsewhere}" in done.stdout
    before = made(folder / "results/lab")
    assert merge(finished).stdout.startswith("lab: copied 0 files")

    planned = finished.plan()
    assert planned.jobs == {"collect_benchmarks": 1, "make_report": 1}
    run = finished.snakemake()
    assert run.code == 0, run.text
    assert made(folder / "results/lab") == before

    rows = rows_of(folder / "results/benchmarks.csv")
    here = {row["fingerprint"] for row in rows if row["hardware"] == "local"}
    assert {row["fingerprint"] for row in rows if row["hardware"] == "lab"} == {OTHER}
    assert len(here) == 1
    assert here != {OTHER}
    page = (folder / "results/report.html").read_text()
    assert "Hardware side by side" in page
    assert "Another CPU" in page
    assert finished.plan().jobs == {}

    # A newer copy whose files are older than the report is seen all the same.
    table = folder / "results/lab/benchmarks/ansor-24/narrow-to-wide.csv"
    text = table.read_text()
    renew(folder, table, text.replace("transfer", "Transfer", 1))
    assert "'rivulet adopt --configfile config/test.yaml'" in finished.plan().text
    finished.adopt()
    assert finished.plan().jobs == {"collect_benchmarks": 1, "make_report": 1}
    renew(folder, table, text)


def renew(folder, table, text):
    """Another version of a table and its record, with the times of the last one."""
    record = table.with_suffix(".json")
    times = [(path, path.stat().st_mtime) for path in (table, record)]
    table.write_text(text)
    data = json.loads(record.read_text())
    record.write_text(json.dumps(data | {"digest": _files_digest([table])}))
    for path, when in times:
        os.utime(path, (when, when))


def test_a_clash_within_a_tree_is_found_when_collecting(finished):
    folder = finished.folder
    finished.configure(finished.config["models"], logs=["ansor"], hardware={"local": LOCAL})
    (mine,) = machines_of(records_below(folder / "results/local"))["local"]
    for end in ("csv", "json"):
        place = folder / f"results/local/benchmarks/ansor-24/wide-to-narrow.{end}"
        place.write_text(place.read_text().replace(mine, OTHER))
    done = finished.rivulet("collect", "--config", "config/test.yaml")
    assert done.returncode == 1
    assert OTHER in done.stderr
    assert mine in done.stderr


def test_a_copied_log_is_a_source_as_it_is(finished):
    """results/lab/logs/... is a donor, for its schedules."""
    folder = finished.folder
    shutil.copytree(finished.other / "lab", folder / "copied/lab", dirs_exist_ok=True)
    donors = {"theirs": {"log": "copied/lab/logs/ansor-24/wide", "other_hardware": True}}
    finished.configure(
        finished.config["models"], logs=["ansor"], hardware={"local": LOCAL}, donors=donors,
        pairs=[["theirs", "narrow"]], pool=False,
    )  # fmt: skip
    target = "results/local/transfer/ansor-24/theirs-to-narrow/log.json"
    run = finished.snakemake(target)
    assert run.code == 0, run.text
    found = rows_of((folder / target).with_name("candidates.csv"))
    assert {row["source"] for row in found if row["source"]} == {"theirs"}
    assert any(row["correct"] == "yes" for row in found)
