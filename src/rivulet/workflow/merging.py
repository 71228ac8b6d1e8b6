"""Results of several machines brought into one folder, file by file."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.jobs.machine import MACHINE_FILE
from rivulet.models.onnx_files import files_of
from rivulet.paths import EFFECT, GAIN, RANKING, SIMILARITY, parse
from rivulet.provenance.machines import (
    Machine,
    clash,
    machines_of,
    refuse_other_names,
    refuse_two_machines,
)
from rivulet.provenance.record import Record, digest_of, read_record, records_below

MODELS = "models"
# Made of a hardware's other results, so that two machines of a kind that share the work each have
# their own; the workflow makes them anew.
_SUMMARIES = (GAIN, EFFECT, SIMILARITY, RANKING)
_SHOWN = 3


@dataclass
class Tree:
    """Results of one hardware in a folder to merge.

    Attributes:
        name: Name of the hardware.
        place: Its folder.
        machine: The machine that they were made on.
        records: Its records.
        known: Whether results of that hardware were in the merged folder already.
        copied: Files to copy.
        same: Number of files that are there already.
        kept: Summaries that stay as they are there.
    """

    name: str
    place: Path
    machine: Machine
    records: dict[Path, Record]
    known: bool = False
    copied: list[Path] = field(default_factory=list)
    same: int = 0
    kept: list[Path] = field(default_factory=list)


@dataclass
class Merge:
    """What a merge does: found out whole before the first file is copied.

    Attributes:
        into: Folder of results to merge into.
        trees: The trees to merge, in the order of the folders.
        models: Exports to copy.
        files: Place of each file in ``into`` to where it comes from, in the order of copying.
        notes: What else there is to say.
    """

    into: Path
    trees: list[Tree] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    files: dict[Path, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def at(self, place: Path) -> Path | None:
        """What lies at a place of ``into`` after the merge; None for nothing."""
        return self.files.get(place) or (place if place.exists() else None)


def plan_merge(folders: Sequence[Path], into: Path) -> Merge:
    """Find out what to copy, and whether the results fit together.

    Args:
        folders: Folders of results, or checkouts with one.
        into: Folder of results to merge into; it need not be there.

    Raises:
        UserError: A folder has no results, two machines' results have one name, one name stands
            for two models, or a file is there with other content.
    """
    merge = Merge(into)
    machines = _machines_in(into)
    for folder in map(_results_folder, folders):
        if folder.resolve() == into.resolve():
            raise UserError(f"{folder}: this is the folder to merge into; name the others only")
        trees = _trees(folder)
        _merge_models(merge, folder, trees)
        for tree in trees:
            other = machines.setdefault(tree.name, tree.machine)
            if other.fingerprint != tree.machine.fingerprint:
                raise UserError(clash(tree.name, other, tree.machine))
            tree.known = other is not tree.machine
            _merge_tree(merge, tree)
            merge.trees.append(tree)
    return merge


def copy_files(merge: Merge) -> None:
    """Copy the files, each of them whole or not at all, with its time.

    Records come last, so that after an interruption no record speaks for a file that is not there.
    """
    for place, source in sorted(merge.files.items(), key=lambda one: one[0].suffix == ".json"):
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            shutil.copyfile(source, temporary)
            shutil.copystat(source, temporary)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)


def _results_folder(folder: Path) -> Path:
    if folder.is_file():
        raise UserError(f"{folder} is a file; give a folder of results of another machine")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of results of another machine")
    inside = folder / "results"
    return inside if inside.is_dir() else folder


def _trees(folder: Path) -> list[Tree]:
    trees = []
    for place in sorted(folder.iterdir()):
        if not place.is_dir() or place.name.startswith(".") or place.name in (MODELS, "reference"):
            continue
        records = records_below(place)
        machines = _machines(place, records)
        if place.name in machines:
            (machine,) = machines[place.name].values()
            trees.append(Tree(place.name, place, machine, records))
    if not trees:
        raise UserError(
            f"{folder}: no results of any hardware are in it; give the folder 'results' of another "
            "machine, or a copy of it"
        )
    return trees


def _machines(place: Path, records: dict[Path, Record]) -> dict[str, dict[str, Machine]]:
    refuse_other_names(records, dict.fromkeys(records, place.name))
    machines = machines_of(records)
    refuse_two_machines(machines)
    return machines


def _machines_in(into: Path) -> dict[str, Machine]:
    found = {}
    for place in sorted(into.iterdir()) if into.is_dir() else []:
        if place.is_dir() and place.name not in (MODELS, "reference"):
            for name, states in _machines(place, records_below(place)).items():
                (found[name],) = states.values()
    return found


# --- Files ---------------------------------------------------------------------------------------
def _merge_tree(merge: Merge, tree: Tree) -> None:
    clashes = []
    for source in _files(tree.place):
        inside = source.relative_to(tree.place)
        place = merge.into / tree.name / inside
        there = merge.at(place)
        if there is None:
            merge.files[place] = source
            tree.copied.append(source)
        elif filecmp.cmp(there, source, shallow=False) or inside.name == MACHINE_FILE:
            tree.same += 1  # two nodes of one kind, as their fingerprint says, have two names
        elif (found := parse(place)) and found.pattern in _SUMMARIES:
            tree.kept.append(inside)
        else:
            clashes.append(f"{there} and {source}")
    if clashes:
        more = f", and {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else ""
        raise UserError(
            f"hardware '{tree.name}': {len(clashes)} files are there twice with other content "
            f"({'; '.join(clashes[:_SHOWN])}{more}), so that one of the two would be lost; delete "
            "those of one folder that you do not need"
        )
    if tree.kept:
        names = ", ".join(map(str, tree.kept))
        merge.notes.append(
            f"results/{tree.name}: {names} stay as they are; they are made of the others, and the "
            "workflow makes them anew where this hardware is at: here"
        )


def _files(place: Path) -> list[Path]:
    """All files of a tree, but those that a job was writing."""
    files = (path for path in sorted(place.rglob("*")) if path.is_file())
    return [path for path in files if not path.name.startswith(".")]


# --- Models --------------------------------------------------------------------------------------
def _merge_models(merge: Merge, folder: Path, trees: Sequence[Tree]) -> None:
    """Check that names stand for the same models, and take exports that are not there."""
    exported = sorted((folder / MODELS).glob("*.json"))
    for path in exported:
        place = merge.into / MODELS / path.name
        there, onnx = merge.at(place), path.with_suffix(".onnx")
        if there is None:
            if onnx.exists():
                merge.files |= {place.with_name(one.name): one for one in files_of(onnx)}
                merge.files[place] = path
                merge.models.append(path.stem)
        else:
            _same_model(merge, path.stem, there, path)
    known = {path.stem for path in exported}
    for tree in trees:
        _same_exports(merge, tree, known)


def _same_model(merge: Merge, name: str, there: Path, other: Path) -> None:
    first, second = read_record(there), read_record(other)
    if first.digest == second.digest:
        return
    definitions = [_definition(one) for one in (first, second)]
    if definitions[0] != definitions[1]:
        raise UserError(
            f"model '{name}' is {definitions[0]} by {there} and {definitions[1]} by {other}; give "
            "one of them another name in its config, and export and measure it there under that"
        )
    merge.notes.append(
        f"model '{name}': {there} and {other} are exports of one definition, but differ in their "
        "bytes, as weights made on unlike processors may; the first stays"
    )


def _definition(record: Record) -> str:
    """What a model is, whatever its file is called on each machine."""
    model: dict[str, Any] = dict(record.settings.get("model") or {})
    model.pop("family", None)
    if "onnx" in model:
        return _onnx_definition(model, record)
    return ", ".join(f"{key} {model[key]}" for key in sorted(model)) or "of unknown definition"


def _onnx_definition(model: Mapping[str, Any], record: Record) -> str:
    """The digests of the user's files, and what the config adds to them."""
    # Before the user's file stands the one that tells the exports' format, behind it the weights
    # and values that belong to it.
    names = list(record.inputs)
    own = names[names.index(model["onnx"]) :] if model["onnx"] in names else []
    digests = ", ".join(record.inputs[name][:12] for name in own) or "unknown"
    text = f"an ONNX file with the digest{'s' if len(own) > 1 else ''} {digests}"
    told = {key: model.get(key) for key in ("shape", "inputs")}
    return text + "".join(
        f", {key} {value}" for key, value in told.items() if value and not isinstance(value, str)
    )


def _same_exports(merge: Merge, tree: Tree, known: set[str]) -> None:
    """Without exports to compare, kernels' records tell of which export they were made."""
    for path, record in tree.records.items():
        name = record.subject.get("model")
        if record.stage != "kernels" or name in known:
            continue
        there = merge.at(merge.into / MODELS / f"{name}.json")
        used = next((d for one, d in record.inputs.items() if Path(one).stem == name), None)
        if there is not None and used is not None and digest_of(there) != used:
            raise UserError(
                f"model '{name}': {path} was made of an export with the digest {used[:12]}, but "
                f"{there} has {digest_of(there)[:12]}; copy that machine's results/{MODELS} beside "
                f"its results/{tree.name}, so that their definitions can be compared"
            )
