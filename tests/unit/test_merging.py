"""Results of several machines in one folder: what is copied, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rivulet.errors import UserError
from rivulet.jobs.machine import FINGERPRINT_OF_NODE, MACHINE_FILE
from rivulet.provenance import read_record, write_record
from rivulet.provenance.machines import machines_of, refuse_two_machines
from rivulet.provenance.record import records_below
from rivulet.workflow.merging import copy_files, plan_merge

FIRST, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def put(place, text="x"):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    os.utime(place, (1_700_000_000, 1_700_000_000))
    return place


def export(results, name="net", digest="d1", user_file=None, beside=(), **definition):
    """An export and its record; beside the user's file may be further ones."""
    models = results / "models"
    onnx = put(models / f"{name}.onnx", f"weights {digest}")
    model = definition or {"torchvision": "resnet18", "shape": [1, 3, 64, 64], "seed": 0}
    inputs = []
    if user_file:
        model, inputs = {"onnx": str(user_file), **definition}, [user_file, *beside]
    write_record(
        models / f"{name}.json",
        "export",
        {"model": name},
        {"model": model},
        inputs=inputs,
        outputs=[onnx],
    )


def measured(results, hardware, fingerprint, name="net", value="1.0", cpu="A CPU", threads=2):
    """A model's kernels and its log, as a hardware's tree has them."""
    tree = results / hardware
    settings = {
        "fingerprint": fingerprint,
        "device": json.dumps({"name": hardware, "threads": threads}),
    }
    subject = {"model": name, "hardware": hardware}
    table = put(tree / "kernels" / f"{name}.csv", "task\n")
    exported = results / "models" / f"{name}.json"
    inputs = [exported] if exported.exists() else []
    write_record(
        table.with_suffix(".json"), "kernels", subject, settings, inputs=inputs, outputs=[table]
    )
    trials = put(tree / "logs/ansor-10" / name / "trials.csv", value)
    facts = {"environment": {"cpu": cpu}}
    write_record(
        trials.with_name("log.json"),
        "search",
        subject,
        settings,
        inputs=[],
        outputs=[trials],
        facts=facts,
    )
    for record in (table.with_suffix(".json"), trials.with_name("log.json")):
        os.utime(record, (1_700_000_000, 1_700_000_000))
    return tree


@pytest.fixture
def here(tmp_path):
    results = tmp_path / "here/results"
    export(results)
    measured(results, "a", FIRST)
    return results


@pytest.fixture
def there(tmp_path):
    results = tmp_path / "there/results"
    export(results)
    measured(results, "b", SECOND, value="2.0", cpu="Another CPU", threads=4)
    return results


def merged(here, *folders):
    merge = plan_merge(folders, here)
    copy_files(merge)
    return merge


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- What is copied ------------------------------------------------------------------------------
def test_a_tree_is_copied_with_its_times(here, there):
    put(there / "b/journals/x/trials.csv")
    put(there / "b/.half.123")
    merge = merged(here, there)
    (tree,) = merge.trees
    assert (tree.name, len(tree.copied), tree.same, tree.known) == ("b", 5, 0, False)
    assert str(tree.machine.described) == "Another CPU, 4 threads"
    copy = here / "b/logs/ansor-10/net/trials.csv"
    assert copy.read_text() == "2.0"
    assert copy.stat().st_mtime == 1_700_000_000
    assert (here / "b/journals/x/trials.csv").exists()
    assert not (here / "b/.half.123").exists()
    assert merge.models == []  # the same export is here


def test_a_checkout_does_as_its_results(here, there):
    merged(here, there.parent)
    assert (here / "b/kernels/net.json").exists()


def test_a_second_merge_copies_nothing(here, there):
    merged(here, there)
    before = contents(here)
    merge = merged(here, there)
    assert merge.files == {}
    assert merge.trees[0].same == 4
    assert merge.trees[0].known
    assert contents(here) == before


def test_an_interrupted_merge_goes_on(here, there, monkeypatch):
    copied = []
    real = shutil.copyfile

    def fails(source, place):
        if len(copied) == 2:
            Path(place).write_text("ha")
            raise OSError("no space left")
        copied.append(place)
        return real(source, place)

    monkeypatch.setattr(shutil, "copyfile", fails)
    with pytest.raises(OSError, match="no space"):
        merged(here, there)
    # What is there is whole, and no record speaks for a file that is not.
    left = contents(here / "b")
    assert len(left) == 2
    assert not [name for name in left if name.endswith(".json")]
    monkeypatch.setattr(shutil, "copyfile", real)
    merge = merged(here, there)
    assert (merge.trees[0].same, len(merge.trees[0].copied)) == (2, 2)
    assert contents(here / "b") == contents(there / "b")


def test_trees_of_one_machine_are_merged_file_by_file(here, there):
    shutil.rmtree(there)
    measured(there, "a", FIRST, name="other", value="3")
    merged(here, there)
    assert (here / "a/logs/ansor-10/net/trials.csv").read_text() == "1.0"
    assert (here / "a/logs/ansor-10/other/trials.csv").read_text() == "3"


def test_summaries_of_one_machine_stay(here, there):
    shutil.rmtree(there)
    measured(there, "a", FIRST, name="other")
    put(here / "a/transfer/ranking.csv", "mine")
    put(there / "a/transfer/ranking.csv", "yours")
    merge = merged(here, there)
    assert (here / "a/transfer/ranking.csv").read_text() == "mine"
    assert "results/a: transfer/ranking.csv stay as they are" in merge.notes[0]


def test_exports_that_are_not_here_come_along(here, there):
    export(there, "more", "d9", torchvision="vgg11")
    assert merged(here, there).models == ["more"]
    assert read_record(here / "models/more.json").digest
    assert (here / "models/more.onnx").exists()


def test_what_lies_beside_an_export_comes_along(here, there):
    export(there, "more", "d9", torchvision="vgg11")
    for name in ("more.onnx.weights", "more.inputs.npz"):
        put(there / "models" / name)
    merged(here, there)
    for name in ("more.onnx.weights", "more.inputs.npz"):
        assert (here / "models" / name).exists()


def test_an_empty_folder_is_filled_from_two(tmp_path, here, there):
    merge = merged(tmp_path / "new", here, there)
    assert [tree.name for tree in merge.trees] == ["a", "b"]
    assert contents(tmp_path / "new/a") == contents(here / "a")


# --- What is refused -----------------------------------------------------------------------------
def refused(here, *folders):
    before = contents(here)
    with pytest.raises(UserError) as caught:
        merged(here, *folders)
    assert contents(here) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_machines_of_one_name(here, there):
    shutil.rmtree(there / "b")
    measured(there, "a", SECOND, cpu="Another CPU", threads=4)
    text = refused(here, there)
    for part in (
        "hardware 'a' has results of 2 machines", FIRST, SECOND, "A CPU, 2 threads",
        "Another CPU, 4 threads", str(here / "a/kernels/net.json"),
        str(there / "a/kernels/net.json"),
    ):  # fmt: skip
        assert part in text


def test_two_folders_of_one_name(tmp_path, here, there):
    third = tmp_path / "third"
    measured(third, "b", FIRST)
    text = refused(here, there, third)
    assert FIRST in text
    assert SECOND in text


def test_two_machines_within_a_tree(here, there):
    measured(there, "b", FIRST, name="other")
    text = refused(here, there)
    assert "hardware 'b' has results of 2 machines" in text
    assert FIRST in text
    assert SECOND in text


def test_a_renamed_folder(here, there):
    (there / "b").rename(there / "c")
    text = refused(here, there)
    assert "is a result of the hardware 'b', but lies in the folder of 'c'" in text


def test_the_same_file_with_other_content(here, there):
    shutil.rmtree(there / "b")
    measured(there, "a", FIRST, value="7")
    text = refused(here, there)
    place = "a/logs/ansor-10/net/trials.csv"
    assert f"{here / place} and {there / place}" in text


def test_one_name_for_two_definitions(here, there):
    export(there, digest="d2", torchvision="resnet34")
    text = refused(here, there)
    assert text.startswith("model 'net' is seed 0, shape [1, 3, 64, 64], torchvision resnet18 by ")
    assert "and torchvision resnet34 by" in text


def test_one_name_for_two_files(here, there, tmp_path):
    export(here, "mine", "d1", user_file=put(tmp_path / "1/m.onnx", "one"))
    export(there, "mine", "d2", user_file=put(tmp_path / "2/m.onnx", "two"))
    text = refused(here, there)
    assert text.startswith("model 'mine' is an ONNX file with the digest ")


@pytest.mark.parametrize("what", ["weights", "shape"])
def test_one_file_with_other_weights_or_shapes_is_another_model(here, there, tmp_path, what):
    for results, digest in ((here, "d1"), (there, "d2")):
        text = digest if what == "weights" else "same"
        folder = tmp_path / digest
        export(
            results, "mine", digest, put(folder / "m.onnx", "one"), [put(folder / "m.data", text)],
            shape=[1 if what == "weights" else int(digest[1])],
        )  # fmt: skip
    assert refused(here, there).startswith("model 'mine' is an ONNX file with the digests ")


def test_one_file_at_two_places_is_one_model(here, there, tmp_path):
    export(here, "mine", "d1", user_file=put(tmp_path / "1/m.onnx", "one"))
    export(there, "mine", "d2", user_file=put(tmp_path / "2/other.onnx", "one"))
    (note,) = merged(here, there).notes
    assert "are exports of one definition, but differ in their bytes" in note


def test_other_bytes_of_one_definition_are_a_note(here, there):
    export(there, digest="d2")
    (note,) = merged(here, there).notes
    assert note.startswith("model 'net': ")
    assert (here / "models/net.onnx").read_text() == "weights d1"


def test_without_exports_the_kernels_tell(here, there):
    export(there, digest="d2")
    measured(there, "b", SECOND)
    shutil.rmtree(there / "models")
    text = refused(here, there)
    assert "was made of an export with the digest" in text
    assert "copy that machine's results/models beside its results/b" in text


def test_folders_without_results(here, tmp_path):
    assert "no such folder" in refused(here, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no results of any hardware are in it" in refused(here, tmp_path / "empty")
    assert "this is the folder to merge into" in refused(here, here)


# --- Records -------------------------------------------------------------------------------------
def test_machines_are_told_by_their_records(here):
    machines = machines_of(records_below(here / "a"))
    (machine,) = machines["a"].values()
    assert (machine.fingerprint, machine.cpu, machine.threads, machine.records) == (
        FIRST, "A CPU", 2, 2,
    )  # fmt: skip
    refuse_two_machines(machines)


def node(results, hardware, fingerprint, host):
    """What describes a cluster's node, planned without knowing it."""
    settings = {"fingerprint": FINGERPRINT_OF_NODE}
    facts = {"fingerprint": fingerprint, "cpu": "Node CPU", "threads": 2, "host": host}
    place = results / hardware / MACHINE_FILE
    write_record(
        place, "machine", {"hardware": hardware}, settings, inputs=[], outputs=[], facts=facts
    )


def test_a_clusters_nodes_of_one_kind_are_one_machine(here, there):
    shutil.rmtree(there / "b")
    measured(there, "a", FIRST, name="other")
    node(here, "a", FIRST, "n1")
    node(there, "a", FIRST, "n2")
    merged(here, there)
    assert read_record(here / "a" / MACHINE_FILE).facts["host"] == "n1"
    node(there, "a", SECOND, "n3")
    assert "Node CPU" in refused(here, there)


# --- The command ---------------------------------------------------------------------------------
def command(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "rivulet", "merge", *map(str, arguments)], cwd=folder, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def test_the_command_says_what_it_does(here, there):
    folder = here.parent
    before = contents(here)
    dry = command(there, "--dry-run", folder=folder)
    assert dry.returncode == 0, dry.stderr
    assert f"b: would copy 4 files (0.0 MiB) from {there / 'b'}, 0 were there" in dry.stdout
    assert contents(here) == before
    done = command(there, folder=folder)
    assert done.returncode == 0, done.stderr
    assert (
        f"b: copied 4 files (0.0 MiB) from {there / 'b'}, 0 were there; Another CPU" in done.stdout
    )
    assert done.stdout.endswith("hardware:\n  b: {at: elsewhere}  # Another CPU, 4 threads\n")
    again = command(there, folder=folder)
    assert "b: copied 0 files (0.0 MiB)" in again.stdout
    assert "hardware:" not in again.stdout


def test_the_command_refuses_in_one_line(here, there):
    measured(there, "b", FIRST, name="other")
    done = command(there, folder=here.parent)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
