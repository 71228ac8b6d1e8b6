"""The files of a published log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rivulet.errors import UserError

WORKLOADS = "database_workload.json"
RECORDS = "database_tuning_record.json"
TRIALS = "trials.csv"
FILES = (WORKLOADS, RECORDS, TRIALS)

# As versions before the journal's SQLite file mended a log: a set of new files counts from when
# they had decided on it, whether or not all were moved to their places.
_NEW = ".new"
_DECIDED = "recovery.decided"


def read_lines(path: Path) -> list[bytes]:
    """Lines of a file with their ends; none when the file is not there.

    Only a line feed ends a line. Python's own splitting of text knows a dozen more characters
    that do, and any of them may stand in a failure's reason.
    """
    new = path.with_name(path.name + _NEW)
    if new.exists() and _is_whole(path.parent / _DECIDED):
        path = new
    if not path.exists():
        return []
    parts = path.read_bytes().split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or a place without permission, into one line on it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def write_files(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write some of a log's files; each is there as a whole or as it was.

    What makes a log of them is the record that is written after all of them.

    Returns:
        Their paths.

    Raises:
        UserError: They cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            temporary = folder / f".{name}.partial"
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(folder / name)
    return [folder / name for name in contents]


def _is_whole(decided: Path) -> bool:
    """Is the decision there, written to its end? All names in it are those of a log's files."""
    data = decided.read_bytes() if decided.exists() else b""
    known = {name.encode() for name in FILES}
    return data.endswith(b"\n") and set(data.split()) <= known
