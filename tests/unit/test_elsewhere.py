"""Hardware elsewhere: what is planned, what must be here, and what is refused when collecting."""

import csv
import io
import json
import logging
from pathlib import Path

import pytest

from rivulet.benchmark.table import MethodRow
from rivulet.config import ConfigError, validate_config
from rivulet.errors import UserError
from rivulet.jobs import Job
from rivulet.provenance import read_record, write_record
from rivulet.provenance.reconcile import survey
from rivulet.stages.main import stage_class
from rivulet.tables import write_table
from rivulet.workflow import plan as plan_module
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.elsewhere import check_elsewhere, needed_files, notes_on_elsewhere
from rivulet.workflow.packages import package_manifests
from rivulet.workflow.plan import Plan, Planned
from rivulet.workflow.planning import expected_settings, load_workflow_config
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import stage_settings

BOTH = {"a": {}, "b": {"at": "elsewhere", "threads": 1000}}


def config(**more):
    models = {"m": {"torchvision": "alexnet"}, "n": {"torchvision": "vgg11"}}
    return validate_config({"models": models, "hardware": BOTH, "trials": 10, **more})


def fill(folder, files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_it_takes_part_in_the_report_and_in_no_plan():
    both = config()
    assert planned_hardware(both) == ["a"]
    assert any(path.startswith("results/b/") for path in report_files(both).pair_tables)
    assert all(path.startswith("results/a/") for path in package_manifests(both))


def test_a_bad_place_is_refused():
    with pytest.raises(ConfigError, match=r"hardware.b.at: 'there' is not a choice; allowed: here"):
        config(hardware={"b": {"at": "there"}})


def test_no_fingerprint_of_this_machine_is_taken_for_it(tmp_path, monkeypatch):
    asked = []

    def watched(device):
        asked.append(device.name)
        return "0123"

    monkeypatch.setattr(plan_module, "fingerprint", watched)
    both = config()
    load_workflow_config(both.model_dump(mode="json"), [])
    records = {}
    for hardware in BOTH:
        table = tmp_path / f"{hardware}.csv"
        table.write_text("")
        record = write_record(
            table.with_suffix(".json"), "kernels", {"model": "m", "hardware": hardware}, {},
            inputs=[], outputs=[table],
        )  # fmt: skip
        records[hardware] = expected_settings(Plan(both), record)
    assert records["a"]["fingerprint"] == "0123"
    assert records["b"] is None
    assert set(asked) == {"a"}


def test_missing_files_are_named_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = needed_files(config(), "b")
    assert "results/b/benchmarks/ansor-10/m-to-n.json" in files
    assert "results/b/roofline.json" in files
    assert all(path.startswith("results/b/") for path in files)
    fill(tmp_path, files[1:])
    with pytest.raises(UserError) as caught:
        check_elsewhere(config())
    assert str(caught.value) == (
        f"hardware.b.at: elsewhere, but 1 of its {len(files)} files are not here ({files[0]}); run "
        "the same config on the machine of 'b', with 'b' at: here, and copy its results/b here "
        "('rivulet merge')"
    )
    fill(tmp_path, files[:1])
    check_elsewhere(config())


def test_other_settings_there_are_a_note(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    both = config()
    files = needed_files(both, "b")
    fill(tmp_path, files)
    (place,) = [tmp_path / f for f in files if f.endswith("benchmarks/ansor-10/m-to-n.json")]
    subject = {"hardware": "b", "target": "n", "source": "m", "trials": "10"}
    settings = json.loads(
        json.dumps(
            stage_settings(Plan(both, "", {"b": Planned("", "")}), "benchmark", hardware="b")
        )
    )
    settings |= {"fingerprint": "0123", "device": "{}", "tvm": "0.1"}
    write_record(
        place, "benchmark", subject, settings, inputs=[], outputs=[place.with_suffix(".csv")]
    )
    assert notes_on_elsewhere(both) == []
    # One that came under another name is refused where tables are collected, not here.
    foreign = {**subject, "hardware": "somewhere"}
    write_record(
        place, "benchmark", foreign, settings, inputs=[], outputs=[place.with_suffix(".csv")]
    )
    assert notes_on_elsewhere(both) == []
    settings["benchmark"]["samples"] = 6
    write_record(
        place, "benchmark", subject, settings, inputs=[], outputs=[place.with_suffix(".csv")]
    )
    assert notes_on_elsewhere(both) == [
        "note: results/b: made with other settings than this config's (benchmark); they are shown "
        "as they are"
    ]


def test_a_new_copy_that_is_older_makes_the_table_stale(tmp_path, monkeypatch):
    """Copies keep their times, so that Snakemake sees nothing of a newer copy with an old one."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, ["results/b/t.csv", "results/all.csv"])
    write_record(
        tmp_path / "results/b/t.json", "benchmark", {"hardware": "b"}, {}, inputs=[],
        outputs=[tmp_path / "results/b/t.csv"],
    )  # fmt: skip
    collected = Path("results/all.json")
    write_record(
        collected,
        "collect",
        {},
        {},
        inputs=[Path("results/b/t.json")],
        outputs=[Path("results/all.csv")],
    )
    (tmp_path / "results/b/t.csv").write_text("another")
    write_record(
        tmp_path / "results/b/t.json", "benchmark", {"hardware": "b"}, {}, inputs=[],
        outputs=[tmp_path / "results/b/t.csv"],
    )  # fmt: skip

    def expected(record):
        return None if record.subject else {}

    def known(path):
        return path == collected

    assert survey(Path("results"), expected, {}, known).dated_back == {}
    found = survey(Path("results"), expected, {}, known, foreign=[Path("results/b")])
    found.apply()
    assert found.dated_back == {"results/all.json": "made from another version of results/b/t.json"}
    assert Path("results/all.csv").stat().st_mtime == 1_000_000_000


# --- Collecting ----------------------------------------------------------------------------------
def pair(folder, hardware, fingerprint, target, cpu, place=None):
    table = folder / "results" / (place or hardware) / f"benchmarks/ansor-10/x-to-{target}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    row = MethodRow(hardware, target, "x", "ansor", "ansor", 10, fingerprint=fingerprint)
    write_table(MethodRow, [row], table)
    settings = {"fingerprint": fingerprint, "device": json.dumps({"threads": 2})}
    facts = {"environment": {"cpu": cpu}}
    write_record(
        table.with_suffix(".json"), "benchmark", {"hardware": hardware, "target": target},
        settings, inputs=[], outputs=[table], facts=facts,
    )  # fmt: skip
    return table


def collect(monkeypatch, folder, *tables):
    """Collect some tables into results/benchmarks.csv."""
    monkeypatch.chdir(folder)
    stage = stage_class("collect")(Plan(config()), {})
    stage.tables = list(tables)
    stage.run(Job("collect", logging.getLogger("test"), folder, io.StringIO()))
    return folder / "results/benchmarks.csv"


def test_tables_of_two_machines_are_collected(tmp_path, monkeypatch):
    one = pair(tmp_path, "a", "aaaa", "m", "A CPU")
    other = pair(tmp_path, "b", "bbbb", "m", "Another CPU")
    whole = collect(monkeypatch, tmp_path, one, other)
    rows = list(csv.DictReader(whole.open()))
    assert [(row["hardware"], row["fingerprint"]) for row in rows] == [("a", "aaaa"), ("b", "bbbb")]
    assert len(read_record(whole.with_suffix(".json")).inputs) == 2


def test_two_machines_under_one_name_are_not_collected(tmp_path, monkeypatch):
    one = pair(tmp_path, "a", "aaaa", "m", "A CPU")
    other = pair(tmp_path, "a", "bbbb", "n", "Another CPU")
    with pytest.raises(UserError) as caught:
        collect(monkeypatch, tmp_path, one, other)
    said = str(caught.value)
    for text in ("hardware 'a'", "aaaa (A CPU, 2 threads", "bbbb (Another CPU, 2 threads"):
        assert text in said
    assert str(one.with_suffix(".json")) in said
    assert str(other.with_suffix(".json")) in said
    assert not (tmp_path / "results/benchmarks.csv").exists()


def test_a_tree_under_another_name_is_not_collected(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="of the hardware 'a', but lies in the folder of 'b'"):
        collect(monkeypatch, tmp_path, pair(tmp_path, "a", "aaaa", "m", "A CPU", place="b"))
