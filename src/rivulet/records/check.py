"""What is damaged in a log, and its repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rivulet.records.files import TRIALS, finish_replacement
from rivulet.records.loading import find_unloadable
from rivulet.records.recover import (
    DatabaseScan,
    FileScan,
    mark_unloadable,
    mend_database,
    scan_database,
)
from rivulet.records.stored import require_log
from rivulet.records.trials import TrialsScan, mend_trials, scan_trials


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


@dataclass(frozen=True)
class Checked:
    """A log that was looked through.

    Attributes:
        folder: Its folder.
        database: Scan of the database.
        table: Scan of ``trials.csv``.
    """

    folder: Path
    database: DatabaseScan
    table: TrialsScan

    def damage(self) -> list[Damage]:
        """All damaged lines, file by file."""
        files: tuple[FileScan, ...] = (self.database.workloads, self.database.records, self.table)
        found = [
            Damage(scan.path, number, scan.damage[number])
            for scan in files
            for number in sorted(scan.damage)
        ]
        if self.table.header and 1 not in self.table.damage:
            found.append(Damage(self.table.path, 1, self.table.header))
        return found


def check_log(
    folder: Path, load: bool = True, report: Callable[[int, int], None] = lambda done, total: None
) -> Checked:
    """Look through a log; nothing is written.

    Args:
        folder: The log's folder.
        load: Also let TVM load every workload and record, which takes some milliseconds each.
        report: Told how many of how many records TVM has loaded.

    Raises:
        UserError: There is no log in the folder.
    """
    require_log(folder)
    database = scan_database(folder)
    if load:
        mark_unloadable(database, *find_unloadable(database, report))
    return Checked(folder, database, scan_trials(folder / TRIALS))


def repair_log(folder: Path, load: bool = True) -> dict[str, int]:
    """Set damaged lines aside, as a search does when it opens the log.

    Returns:
        File name to the number of lines set aside.
    """
    finish_replacement(folder)
    checked = check_log(folder, load)
    return {**mend_database(checked.database), TRIALS: mend_trials(checked.table)}
