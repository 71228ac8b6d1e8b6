"""The record of one artefact: a small JSON file that the workflow treats as one of its outputs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rivulet.errors import UserError

FORMAT = 1
_MARK = "rivulet_record"


@dataclass(frozen=True)
class Record:
    """How an artefact was made.

    Attributes:
        stage: Stage of the workflow, such as ``search``.
        subject: What it is about: model, hardware, trials and so on.
        settings: Everything configured that the artefact depends on.
        inputs: Path of each input to the digest it had.
        outputs: Paths of the files made.
        digest: SHA-256 over the files made.
        made: When, by which versions, in how many seconds.
        facts: What else the stage has to say.
    """

    stage: str
    subject: dict[str, Any]
    settings: dict[str, Any]
    inputs: dict[str, str]
    outputs: list[str]
    digest: str
    made: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def write_record(
    path: Path,
    stage: str,
    subject: dict[str, Any],
    settings: dict[str, Any],
    *,
    inputs: list[Path],
    outputs: list[Path],
    facts: dict[str, Any] | None = None,
) -> Record:
    """Write the record of files that were just made; the last act of a stage."""
    record = Record(
        stage=stage,
        subject=subject,
        settings=settings,
        inputs={str(p): digest_of(p) for p in inputs},
        outputs=[str(p) for p in outputs],
        digest=_files_digest(outputs),
        made={"at": time.strftime("%Y-%m-%dT%H:%M:%S%z")},
        facts=facts or {},
    )
    write_atomically(path, json.dumps({_MARK: FORMAT, **asdict(record)}, indent=1) + "\n")
    return record


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        UserError: The file is not there or is no record.
    """
    try:
        data = json.loads(path.read_text())
        if data.pop(_MARK) != FORMAT:
            raise ValueError("another format version")
        return Record(**data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not readable as the record of an artefact ({error}); delete it, and the "
            "workflow makes the artefact again"
        ) from error


def records_below(folder: Path) -> dict[Path, Record]:
    """All records of results, in the order of their paths; journals are none."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in ("journals", "reference"))
        for name in sorted(names):
            if name.endswith(".json") and not name.startswith((".", "database_")):
                try:
                    found[Path(place, name)] = read_record(Path(place, name))
                except UserError:
                    continue  # another kind of file, such as a package's manifest
    return found


def digest_of(path: Path) -> str:
    """Digest of an input: a record's own digest, or the SHA-256 of any other file."""
    if path.suffix == ".json":
        try:
            return read_record(path).digest
        except UserError:
            pass
    return _files_digest([path])


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _files_digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
