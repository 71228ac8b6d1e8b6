"""A growing log in one SQLite file: its trials, and each valid one's schedule."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.records.trials import COLUMNS, Trial, one_line

JOURNAL = "log.sqlite"
_VERSION = 1
_EVERYTHING = -1  # SQLite's LIMIT without a limit
_PATIENCE = 60.0  # seconds that a writer waits for a reader, and the other way around
_TYPES = {"int": "INTEGER", "float": "REAL", "str": "TEXT"}
_SCHEMA = f"""
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    {", ".join(f"{f.name} {_TYPES[str(f.type)]} NOT NULL" for f in fields(Trial))}
);
CREATE TABLE workload (id INTEGER PRIMARY KEY, line TEXT NOT NULL UNIQUE);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    workload INTEGER NOT NULL REFERENCES workload,
    trial INTEGER REFERENCES trial ON DELETE CASCADE,
    body TEXT NOT NULL
);
CREATE INDEX record_of_trial ON record (trial);
PRAGMA user_version = {_VERSION};
"""
_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "make its folder readable and writable",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; end that one",
    sqlite3.SQLITE_NOTADB: "move it away to begin a new one",
    sqlite3.SQLITE_CORRUPT: "move it away to begin a new one",
}


@dataclass(frozen=True)
class NewRecord:
    """A tuning record to add.

    Attributes:
        workload: Line of its workload, MetaSchedule's JSON.
        body: Trace, latencies, target and arguments: MetaSchedule's JSON.
        trial: Place of its trial among those that are added with it, from 0; None for a schedule
            that belongs to no trial.
    """

    workload: str
    body: str
    trial: int | None = None


class Storage:
    """The tables of a log. What one call of `add` brings is there as a whole or not at all.

    Args:
        connection: The connection to it.
        name: What errors call it.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection, self._name = connection, name

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever added."""
        return self._version() == 0

    def add(
        self,
        trials: Sequence[Trial] = (),
        records: Sequence[NewRecord] = (),
        workloads: Iterable[str] = (),
    ) -> None:
        """Add a batch in one transaction, which is on the disk when this returns.

        Args:
            trials: Trials, in the order of measuring.
            records: Tuning records; their workloads need not be there.
            workloads: Lines of workloads that are to be there whether they have records or not.
        """
        with self._transaction() as connection:
            if self.is_new:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            (last,) = connection.execute("SELECT ifnull(max(id), 0) FROM trial").fetchone()
            connection.executemany(
                f"INSERT INTO trial VALUES ({', '.join('?' * (1 + len(COLUMNS)))})",
                [(last + n, *astuple(trial)) for n, trial in enumerate(trials, 1)],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO workload (line) VALUES (?)",
                [(line,) for line in (*workloads, *(one.workload for one in records))],
            )
            connection.executemany(
                "INSERT INTO record (workload, trial, body) "
                "VALUES ((SELECT id FROM workload WHERE line = ?), ?, ?)",
                [
                    (one.workload, None if one.trial is None else last + 1 + one.trial, one.body)
                    for one in records
                ],
            )

    def forget(self, count: int) -> None:
        """Take out the last trials, with their schedules."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM trial WHERE id IN (SELECT id FROM trial ORDER BY id DESC LIMIT ?)",
                [count],
            )

    def trials(self, first: int | None = None) -> list[Trial]:
        """The first trials, or all."""
        columns = ", ".join(COLUMNS)
        rows = self._select(f"SELECT {columns} FROM trial ORDER BY id LIMIT ?", first)
        return [Trial(*row) for row in rows]

    def workloads(self, first: int | None = None) -> list[bytes]:
        """Lines of all workloads, or of those that the first trials have schedules of."""
        rows = self._select(f"SELECT line FROM workload {_used(first)} ORDER BY id", first)
        return [f"{line}\n".encode() for (line,) in rows]

    def records(self, first: int | None = None) -> list[bytes]:
        """Lines of all records, or of those of the first trials.

        Workloads are numbered as `workloads` gives them for the same trials.
        """
        numbers = self._select(f"SELECT id FROM workload {_used(first)} ORDER BY id", first)
        position = {number: n for n, (number,) in enumerate(numbers)}
        where = "" if first is None else f"WHERE trial IN ({_FIRST})"
        rows = self._select(f"SELECT workload, body FROM record {where} ORDER BY id", first)
        return [f"[{position[workload]},{body}]\n".encode() for workload, body in rows]

    def _select(self, query: str, first: int | None) -> list[tuple[Any, ...]]:
        if self.is_new:
            return []
        limit = [_EVERYTHING if first is None else first] if "?" in query else []
        return self._connection.execute(query, limit).fetchall()

    def _version(self) -> int:
        version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise UserError(
                f"{self._name}: a log of version {version}, and this is a version of the workflow "
                f"that reads {_VERSION}; use the one that made it, or move it away to begin anew"
            )
        return version

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


_FIRST = "SELECT id FROM trial ORDER BY id LIMIT ?"


def _used(first: int | None) -> str:
    if first is None:
        return ""
    return f"WHERE id IN (SELECT workload FROM record WHERE trial IN ({_FIRST}))"


@contextmanager
def open_storage(path: Path | None, snapshot: bool = False) -> Iterator[Storage]:
    """The log in a file, or an empty one in memory.

    No connection outlives what it is opened for: SQLite's must not go through a fork.

    Args:
        path: The file; made by the first `Storage.add` if it is not there.
        snapshot: For reading alone: all is seen as it is now, whatever is added meanwhile.

    Raises:
        UserError: It cannot be read or written.
    """
    try:
        connection = sqlite3.connect(path or ":memory:", timeout=_PATIENCE, isolation_level=None)
        try:
            # A rollback journal rather than a write-ahead log: a batch takes seconds, so nothing
            # is won by faster commits, and journals lie on network disks too, which the shared
            # memory of a write-ahead log does not work on. EXTRA is FULL, and holds when the power
            # fails just after the commit: the end of the rollback journal is on the disk too.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA foreign_keys = ON")
            if snapshot:
                connection.execute("BEGIN")
            yield Storage(connection, str(path))
        finally:
            connection.close()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = _ADVICE.get(code, "look after its disk")
        reason = one_line(str(error))
        raise UserError(f"{path}: the log cannot be used ({reason}); {advice}") from error
