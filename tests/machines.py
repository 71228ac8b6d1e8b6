"""Results as another machine would have made them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rivulet.provenance import Record, digest_of, read_record
from rivulet.provenance.record import _files_digest, records_below

OTHER = "0123456789ab"


def as_other_machine(
    root: Path, old: str, new: str, fingerprint: str = OTHER, cpu: str = "Another CPU"
) -> Path:
    """Give results/OLD of a checkout another name and machine, in every record and table.

    Args:
        root: The checkout; its results are changed in place.
        old: Name of the hardware.
        new: Its new name.
        fingerprint: Fingerprint of the pretended machine.
        cpu: Name of its CPU.

    Returns:
        The renamed folder.
    """
    tree = root / "results" / new
    (root / "results" / old).rename(tree)
    was = {
        str(r.settings["fingerprint"]) for r in records_below(tree).values()
        if "fingerprint" in r.settings
    }  # fmt: skip
    for path in tree.rglob("*"):
        if path.suffix in (".csv", ".json") and path.is_file():
            text = path.read_text()
            text = text.replace(f"results/{old}/", f"results/{new}/")
            for one in was:
                text = text.replace(one, fingerprint)
            if path.suffix == ".csv":
                header, *lines = text.splitlines(keepends=True)
                if header.startswith("hardware,"):
                    text = header + "".join(
                        new + line.removeprefix(old) if line.startswith(f"{old},") else line
                        for line in lines
                    )
            path.write_text(text)
    _renew_records(root, tree, old, new, cpu)
    return tree


def _renew_records(root: Path, tree: Path, old: str, new: str, cpu: str) -> None:
    """Put names and digests right, inputs before what was made of them."""
    paths = list(records_below(tree))
    for path in paths:
        record = read_record(path)
        if record.subject.get("hardware") == old:
            record.subject["hardware"] = new
        if "device" in record.settings:
            device = json.loads(record.settings["device"]) | {"name": new}
            text = json.dumps(device, sort_keys=True, separators=(",", ":"))
            record.settings["device"] = text
        if record.facts.get("environment"):
            record.facts["environment"]["cpu"] = cpu
        _write(path, record, _files_digest([root / one for one in record.outputs]))
    for path in paths:
        record = read_record(path)
        for name in record.inputs:
            if (root / name).exists():
                record.inputs[name] = digest_of(root / name)
        _write(path, record, record.digest)


def _write(path: Path, record: Record, digest: str) -> None:
    path.write_text(json.dumps({"rivulet_record": 1, **asdict(record), "digest": digest}))
