"""What is damaged in a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rivulet.records.loading import find_unloadable
from rivulet.records.scan import FileScan, mark_unloadable
from rivulet.records.stored import StoredLog, read_log


@dataclass(frozen=True)
class Damage:
    """A damaged line.

    Attributes:
        path: The file.
        line: Its number, from 1.
        what: What is wrong with it.
    """

    path: Path
    line: int
    what: str


def check_log(
    folder: Path, load: bool = True, report: Callable[[int, int], None] = lambda done, total: None
) -> StoredLog:
    """Look through a log; nothing is written.

    Args:
        folder: The log's folder.
        load: Also let TVM load every workload and record, which takes some milliseconds each.
        report: Told how many of how many records TVM has loaded.

    Raises:
        UserError: There is no log in the folder.
    """
    log = read_log(folder)
    if load:
        mark_unloadable(log.database, *find_unloadable(log.database, report))
    return log


def damaged_lines(log: StoredLog) -> list[Damage]:
    """All damaged lines of a log that was checked, file by file."""
    files: tuple[FileScan, ...] = (log.database.workloads, log.database.records, log.table)
    found = [
        Damage(scan.path, number, scan.damage[number])
        for scan in files
        for number in sorted(scan.damage)
    ]
    if log.table.header and 1 not in log.table.damage:
        found.append(Damage(log.table.path, 1, log.table.header))
    return found
