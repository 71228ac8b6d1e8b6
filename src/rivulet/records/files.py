"""The files of a log, and how a set of them is replaced so that a kill leaves no mixture."""

from __future__ import annotations

import os
from pathlib import Path

WORKLOADS = "database_workload.json"
RECORDS = "database_tuning_record.json"
TRIALS = "trials.csv"
FILES = (WORKLOADS, RECORDS, TRIALS)

_NEW = ".new"
_SIDE = ".damaged"
_DECIDED = "recovery.decided"


def read_lines(path: Path) -> list[bytes]:
    """Lines of a file with their ends; none when the file is not there.

    Only a line feed ends a line. Python's own splitting of text knows a dozen more characters
    that do, and any of them may stand in a failure's reason.
    """
    new = path.with_name(path.name + _NEW)
    if new.exists() and _is_whole(path.parent / _DECIDED):
        path = new  # a replacement was decided on and not finished
    if not path.exists():
        return []
    parts = path.read_bytes().split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def set_aside(path: Path, lines: list[bytes]) -> None:
    """Append lines to ``<name>.damaged`` beside the file, byte by byte as they were."""
    if not lines:
        return
    with side_file(path).open("ab") as aside:
        aside.writelines(line if line.endswith(b"\n") else line + b"\n" for line in lines)
        aside.flush()
        os.fsync(aside.fileno())


def side_file(path: Path) -> Path:
    """Where the damaged lines of a file are kept."""
    return path.with_name(path.name + _SIDE)


def replace_together(folder: Path, contents: dict[str, list[bytes]]) -> None:
    """Replace files of a folder, all or none of them, whenever the process is killed.

    Records name workloads by line number: with one of the two files replaced and the other not,
    every latency would be read as another kernel's.

    Args:
        folder: The log's folder.
        contents: File name to its new lines.
    """
    for name, lines in contents.items():
        _write(folder / (name + _NEW), lines)
    _write(folder / _DECIDED, [name.encode() + b"\n" for name in contents])
    finish_replacement(folder)


def finish_replacement(folder: Path) -> None:
    """Finish a replacement that a kill interrupted, or drop it if it was not yet decided on."""
    decided = folder / _DECIDED
    if _is_whole(decided):
        for name in decided.read_text().split():
            new = folder / (name + _NEW)
            if new.exists():
                new.replace(folder / name)
    for name in FILES:
        (folder / (name + _NEW)).unlink(missing_ok=True)
    decided.unlink(missing_ok=True)


def _is_whole(decided: Path) -> bool:
    """Is the decision there, written to its end? All names in it are those of a log's files."""
    data = decided.read_bytes() if decided.exists() else b""
    known = {name.encode() for name in FILES}
    return data.endswith(b"\n") and set(data.split()) <= known


def _write(path: Path, lines: list[bytes]) -> None:
    with path.open("wb") as stream:
        stream.writelines(lines)
        stream.flush()
        os.fsync(stream.fileno())
