import json
import os
import platform
from pathlib import Path

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from rivulet.config.load import validate_config
from rivulet.provenance import read_record, write_record
from rivulet.provenance.code import code_digest
from rivulet.provenance.reconcile import survey
from rivulet.workflow.locks import stale_locks, take_over_lock
from rivulet.workflow.packages import package_manifests
from rivulet.workflow.report_files import report_files
from rivulet.workflow.snakemake_compat import is_known, unfinished_outputs
from snapshot import snapshot


def make(folder, name, inputs, settings, stage="search", **facts):
    output, record = folder / f"{name}.txt", folder / f"{name}.json"
    output.write_text(name)
    write_record(
        record, stage, {"model": name}, settings, inputs=inputs, outputs=[output], facts=facts
    )
    return record


def test_a_record_says_how_its_artefact_was_made(tmp_path):
    first = make(tmp_path, "a", [], {"x": 1}, gflop=2.5)
    second = make(tmp_path, "b", [first], {"x": 1})
    record = read_record(second)
    assert record.inputs == {str(first): read_record(first).digest}
    assert record.outputs == [str(tmp_path / "b.txt")]
    assert read_record(first).facts == {"gflop": 2.5}


def adopted(folder, settings, known=lambda path: False, code=None):
    findings = survey(folder, lambda record: settings, code or {}, known)
    findings.apply()
    return findings


def test_times_are_put_in_order_where_the_records_agree(tmp_path):
    first = make(tmp_path, "a", [], {"x": 1})
    second = make(tmp_path, "b", [first], {"x": 1})
    for path, when in ((first, 2000), (second, 1000)):
        os.utime(path, (when, when))
    assert adopted(tmp_path, {"x": 1}).lines() == []
    assert second.stat().st_mtime >= first.stat().st_mtime


def test_other_settings_date_an_artefact_back_and_say_so(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("source")
    first = make(tmp_path, "a", [source], {"x": 1, "y": 0})
    findings = adopted(tmp_path, {"x": 2, "y": 0})
    assert findings.lines() == [
        f"note: {first}: made with other settings (x); it will be made again"
    ]
    assert first.stat().st_mtime == 1_000_000_000
    assert (tmp_path / "a.txt").stat().st_mtime == 1_000_000_000


def test_another_input_dates_an_artefact_back(tmp_path):
    first = make(tmp_path, "a", [], {"x": 1})
    second = make(tmp_path, "b", [first], {"x": 1})
    (tmp_path / "a.txt").write_text("another")
    write_record(first, "search", {}, {"x": 1}, inputs=[], outputs=[tmp_path / "a.txt"])
    findings = adopted(tmp_path, {"x": 1})
    assert findings.dated_back == {str(second): f"made from another version of {first}"}


def test_what_snakemake_knows_is_left_to_it(tmp_path):
    first = make(tmp_path, "a", [], {"x": 1})
    findings = adopted(tmp_path, {"x": 2}, known=lambda path: path == first)
    assert findings.lines() == []
    assert not findings.unsettled
    assert first.stat().st_mtime > 1_000_000_000


def test_snakemake_knows_what_it_made_or_was_making(tmp_path):
    for length in (10, 300):  # a long name is cut into folders
        output = Path("results/local", "a" * length, "log.json")
        assert not is_known(output, tmp_path)
        for kind in ("metadata", "incomplete"):
            store = FilePersistence(path=tmp_path / kind)
            write = store._write_record if kind == "metadata" else store._mark_incomplete
            write(str(output), MetadataRecord() if kind == "metadata" else None)
            assert is_known(output, tmp_path / kind)
        assert str(output) in unfinished_outputs(tmp_path / "incomplete")


def test_a_survey_changes_nothing_and_sees_what_follows_from_its_own_findings(tmp_path):
    first = make(tmp_path, "a", [], {"x": 1})
    second = make(tmp_path, "b", [first], {"x": 1})
    third = make(tmp_path, "c", [second], {"x": 1})
    for path, when in ((first, 3000), (second, 2000), (third, 1000)):
        os.utime(path, (when, when))
    (tmp_path / "c.txt").unlink()
    before = snapshot(tmp_path)
    findings = survey(tmp_path, lambda record: {"x": 1}, {}, lambda path: False)
    assert snapshot(tmp_path) == before
    assert findings.incomplete == {str(third): str(tmp_path / "c.txt")}
    # What is removed counts as missing, and what is dated anew has its new time.
    assert findings.unsettled == {second, third}
    findings.apply()
    assert not third.exists()
    assert not survey(tmp_path, lambda record: {"x": 1}, {}, lambda path: False).unsettled


def test_what_is_dated_back_already_is_settled(tmp_path):
    make(tmp_path, "a", [], {"x": 1})
    assert adopted(tmp_path, {"x": 2}).unsettled
    again = adopted(tmp_path, {"x": 2})
    assert again.dated_back
    assert not again.unsettled


def test_other_code_is_a_note_only(tmp_path):
    make(tmp_path, "a", [], {"x": 1}, code="old")
    findings = adopted(tmp_path, {"x": 1}, code={"search": "new"})
    (line,) = findings.notes_on_code()
    assert line.startswith("note: the code of 'search' has changed since 1 of its artefacts")
    assert findings.lines() == []
    assert adopted(tmp_path, {"x": 1}, code={"search": "old"}).notes_on_code() == []


def test_a_damaged_record_is_no_obstacle(tmp_path):
    make(tmp_path, "a", [], {"x": 1})
    (tmp_path / "a.json").write_text('{"rivulet_record": 1, "stage')
    assert adopted(tmp_path, {"x": 1}).lines() == []


def test_code_digest_ignores_comments_and_docstrings(tmp_path, monkeypatch):
    from rivulet.provenance import code

    monkeypatch.setattr(code, "_PACKAGE", tmp_path)
    path = tmp_path / "room" / "a.py"
    path.parent.mkdir()
    path.write_text('"""Doc."""\n\n\ndef f():\n    """Doc."""\n    return 1\n')
    first = code_digest("room")
    path.write_text("# comment\ndef f():\n    return  1\n")
    assert code_digest("room") == first
    path.write_text("def f():\n    return 2\n")
    assert code_digest("room") != first


def lock(folder):
    (folder / "locks").mkdir()
    (folder / "locks" / "0.input.lock").write_text("x")


def owners(folder, *entries):
    (folder / "rivulet-owners.json").write_text(json.dumps(entries))


def test_a_lock_of_dead_owners_is_released(tmp_path):
    lock(tmp_path)
    owners(tmp_path, [platform.node(), 2**22 + 1, 1.0])
    assert len(stale_locks(tmp_path)) == 1
    assert "released" in take_over_lock(tmp_path)
    assert list((tmp_path / "locks").iterdir()) == []
    assert json.loads((tmp_path / "rivulet-owners.json").read_text())[0][1] == os.getpid()


def test_a_lock_whose_owner_may_live_is_left(tmp_path):
    import psutil

    lock(tmp_path)
    me = [platform.node(), os.getpid(), psutil.Process().create_time()]
    for entry in (me, ["another-host", 1, 1.0]):
        owners(tmp_path, entry)
        assert stale_locks(tmp_path) == []
        assert take_over_lock(tmp_path) is None
        assert list((tmp_path / "locks").iterdir())


def test_a_lock_of_unknown_origin_is_left(tmp_path):
    lock(tmp_path)
    assert stale_locks(tmp_path) == []
    assert take_over_lock(tmp_path) is None
    assert list((tmp_path / "locks").iterdir())


# --- What the report and the packages are made of ------------------------------------------------
MODELS = {name: {"torchvision": name} for name in ("resnet18", "alexnet", "googlenet")}


def test_the_report_is_made_of_every_pair_log_and_trial_count():
    config = validate_config({"models": MODELS, "trials": [100, 200]})
    files = report_files(config)
    pairs = 6 + 3  # ordered pairs, and a pool for each target
    assert len(files.pair_tables) == len(files.candidates) == pairs * 2 * 2
    assert len(files.kernel_tables) == len(files.pair_tables)
    assert "results/local/benchmarks/droplet-200/kernels/pool-to-alexnet.csv" in files.kernel_tables
    assert len(files.kernels) == 3
    # Own logs, warm starts, transfers, and droplet search on those from logs without it.
    assert len(files.histories) == 3 * 2 * 2 + 3 * 2 + pairs * 4 + pairs * 2
    assert files.rooflines == ["results/local/roofline.csv"]
    assert all((files.gains, files.effects, files.rankings))
    assert len(set(files.all())) == len(files.all())


def test_a_single_model_has_a_report_of_little():
    config = validate_config({"models": {"alexnet": {"torchvision": "alexnet"}}})
    files = report_files(config)
    assert files.all() == ["results/local/kernels/alexnet.csv", "results/local/droplet_gain.csv"]


def test_a_table_without_its_record_counts_as_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = validate_config({"models": MODELS, "trials": [100], "logs": ["ansor"]})
    whole = report_files(config)
    for number, path in enumerate(whole.pair_tables[:2]):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("")
        if number:
            Path(path).with_suffix(".json").write_text("{}")
    assert whole.present().pair_tables == whole.pair_tables[1:2]


def test_packages_are_named_by_model_method_and_trials():
    config = validate_config({"models": MODELS, "trials": [100], "logs": ["ansor"]})
    found = package_manifests(config)
    library = "results/local/library"
    for name in (
        "alexnet-ansor-100", "alexnet-droplet-100", "alexnet-warm-100",
        "alexnet-transfer-from-resnet18-100", "alexnet-transfer-droplet-from-pool-100",
    ):  # fmt: skip
        assert f"{library}/{name}/manifest.json" in found
    assert len(found) == len(set(found)) == 3 * 3 + 9 * 2
