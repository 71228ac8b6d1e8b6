"""Mend files that were cut off in the middle of a write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def recover_lines(path: Path, valid: Callable[[str], bool]) -> int:
    """Set aside the lines of a file that are not valid, and keep the rest.

    The bad lines are appended to ``<name>.damaged`` beside the file. The file is replaced in
    one step, so that a kill during the recovery loses nothing either.

    Returns:
        How many lines were set aside.
    """
    if not path.exists():
        return 0
    text = path.read_text(errors="replace")
    lines = text.splitlines(keepends=True)
    good = [line for line in lines if line.endswith("\n") and valid(line)]
    bad = [line for line in lines if not (line.endswith("\n") and valid(line))]
    if not bad:
        return 0
    with path.with_name(path.name + ".damaged").open("a") as aside:
        aside.writelines(line if line.endswith("\n") else line + "\n" for line in bad)
    replacement = path.with_name(path.name + ".new")
    replacement.write_text("".join(good))
    replacement.replace(path)
    return len(bad)


def is_json(line: str) -> bool:
    """Is the line one JSON value?"""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def recover_database(workloads: Path, records: Path) -> dict[str, int]:
    """Mend MetaSchedule's two files together, because records name workloads by line number.

    Returns:
        File name to the number of lines set aside.
    """
    before = _lines(workloads)
    kept = [number for number, line in enumerate(before) if is_json(line)]
    counts = {workloads.name: recover_lines(workloads, is_json)}
    counts[records.name] = recover_lines(records, is_json)
    if counts[workloads.name]:
        known = set(kept)

        def has_workload(line: str) -> bool:
            return json.loads(line)[0] in known

        counts[records.name] += recover_lines(records, has_workload)
        position = {number: index for index, number in enumerate(kept)}
        renumbered = []
        for line in _lines(records):
            entry = json.loads(line)
            renumbered.append(json.dumps([position[entry[0]], *entry[1:]]) + "\n")
        replacement = records.with_name(records.name + ".new")
        replacement.write_text("".join(renumbered))
        replacement.replace(records)
    return counts


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []
