"""A log as it lies on disk, published or growing, read without TVM and without writing."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.provenance.record import read_record
from rivulet.records.files import FILES, TRIALS
from rivulet.records.scan import DatabaseScan, scan_database, scan_lines, workload_of
from rivulet.records.storage import JOURNAL, open_storage
from rivulet.records.trials import Trial, TrialsScan, read_trials, scan_trials

ORIGIN = "origin.json"
_FAILED_SECONDS = 1e9  # what MetaSchedule writes as the latency of a candidate that failed


@dataclass(frozen=True)
class StoredRecord:
    """One tuning record.

    Attributes:
        line: Line number in its file, from 1.
        workload: Line number of its workload.
        text: The line.
    """

    line: int
    workload: int
    text: bytes

    @cached_property
    def body(self) -> list[Any]:
        """Trace, latencies, target and arguments."""
        body: list[Any] = json.loads(self.text)[1]
        return body

    @property
    def seconds(self) -> float:
        """Latency as the database ranks it; infinite where the record has none that is valid."""
        latencies = self.body[1] or []
        if not latencies or min(latencies) >= _FAILED_SECONDS:
            return math.inf
        return float(sum(latencies) / len(latencies))

    @property
    def trace_key(self) -> str:
        """Digest of the trace: equal for equal schedules of one workload."""
        return hashlib.sha256(json.dumps(self.body[0]).encode()).hexdigest()

    @property
    def target(self) -> str:
        """Target as canonical JSON; empty where the record names none."""
        return json.dumps(self.body[2], sort_keys=True) if self.body[2] else ""


@dataclass(frozen=True)
class Origin:
    """Under which conditions a log was made, as far as something beside it says so.

    Attributes:
        model: Model searched; empty when unknown.
        hardware: Name of the device in the config; empty when unknown.
        settings: Settings of the stage, with ``fingerprint`` and ``tvm``; empty when unknown.
        inputs: Paths of the records that the log was made from.
        facts: The whole file, as it stands.
    """

    model: str = ""
    hardware: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredLog:
    """A log's content; damaged lines are left out.

    Attributes:
        folder: Its folder.
        database: Scan of the database.
        table: Scan of ``trials.csv``.
        origin: Under which conditions it was made.
    """

    folder: Path
    database: DatabaseScan
    table: TrialsScan
    origin: Origin

    @property
    def trials(self) -> list[Trial]:
        """The trials."""
        return self.table.trials

    @cached_property
    def records(self) -> list[StoredRecord]:
        """The tuning records, in the order of the file."""
        return [
            StoredRecord(number, self.database.same_as[workload_of(line) + 1], line)
            for number, line in self.database.records.good()
        ]

    def ranked(self) -> dict[int, list[StoredRecord]]:
        """Line number of each workload to its valid records, fastest first."""
        found: dict[int, list[StoredRecord]] = defaultdict(list)
        for record in sorted(self.records, key=lambda record: record.seconds):
            if math.isfinite(record.seconds):
                found[record.workload].append(record)
        return found

    @property
    def workloads(self) -> dict[int, bytes]:
        """Line number of each workload to its line."""
        return dict(self.database.workloads.good())

    def damage(self) -> list[str]:
        """File, line and what is wrong with it, of each damaged line; a wrong header is one."""
        found = [
            f"{scan.path}:{number}: {scan.damage[number]}"
            for scan in (self.database.workloads, self.database.records, self.table)
            for number in sorted(scan.damage)
        ]
        if self.table.header and 1 not in self.table.damage:
            found.append(f"{self.table.path}:1: {self.table.header}")
        return found

    def damaged(self) -> int:
        """Number of damaged lines in all files."""
        return len(self.damage())


def read_log(folder: Path) -> StoredLog:
    """Read a log.

    Raises:
        UserError: There is no log in the folder, or a file beside it is not readable.
    """
    require_log(folder)
    if not (folder / JOURNAL).exists():
        return read_files(folder)
    with open_storage(folder / JOURNAL, snapshot=True) as storage:
        database = scan_lines(folder, storage.workloads(), storage.records())
        table = TrialsScan(folder / JOURNAL, trials=storage.trials())
    return StoredLog(folder, database, table, read_origin(folder))


def read_files(folder: Path) -> StoredLog:
    """Read a published log, whatever else is in its folder.

    Raises:
        UserError: As for `read_log`.
    """
    require_log(folder)
    return StoredLog(
        folder, scan_database(folder), scan_trials(folder / TRIALS), read_origin(folder)
    )


def log_trials(folder: Path) -> list[Trial]:
    """The trials of a log; none where there is no log."""
    if not (folder / JOURNAL).exists():
        return read_trials(folder / TRIALS)
    with open_storage(folder / JOURNAL) as storage:
        return storage.trials()


def require_log(folder: Path) -> None:
    """Refuse a path that is no log's folder.

    Raises:
        UserError: There is no log in the folder.
    """
    if folder.is_file():
        raise UserError(f"{folder}: a file; name the log's folder, such as {folder.parent}")
    if not folder.exists():
        raise UserError(f"{folder}: not there; name the folder of a log")
    if not any((folder / name).exists() for name in (JOURNAL, *FILES)):
        inside = sorted(p.parent for name in (TRIALS, JOURNAL) for p in folder.glob(f"**/{name}"))
        hint = f"; there is one in {inside[0]}" if inside else ""
        raise UserError(f"{folder}: no log in this folder, which would have {TRIALS}{hint}")


def read_origin(folder: Path) -> Origin:
    """What stands beside a log about how it was made: published, derived, or in a journal."""
    published, derived, journal = (folder / n for n in ("log.json", ORIGIN, "settings.json"))
    if published.exists():
        record = read_record(published)
        subject = {key: str(value) for key, value in record.subject.items()}
        return Origin(
            subject.get("model", "") or subject.get("name", ""),
            subject.get("hardware", ""),
            record.settings,
            tuple(record.inputs),
            _json_object(published),
        )
    if derived.exists():
        facts = _json_object(derived)
        return Origin(
            str(facts.get("model", "")),
            str(facts.get("hardware", "")),
            dict(facts.get("settings") or {}),
            tuple(facts.get("inputs") or ()),
            facts,
        )
    if journal.exists():
        settings = _json_object(journal)
        return Origin(settings=settings, facts=settings)
    return Origin()


def find_kernel_table(log: StoredLog) -> Path | None:
    """The table of the log's kernels, found through the records that the log was made from.

    Paths in a record are relative to the checkout, which is where the command runs or a folder
    above the log.
    """
    for name in log.origin.inputs:
        table = Path(name).with_suffix(".csv")
        if "kernels" not in table.parts:
            continue
        for root in (Path(), *log.folder.resolve().parents):
            if (root / table).exists():
                return root / table
    return None


def read_kernel_table(path: Path) -> dict[str, dict[str, str]]:
    """Task name of each kernel to its row.

    Raises:
        UserError: The file is not a table of kernels.
    """
    try:
        with path.open(newline="") as stream:
            rows = {row["task"]: row for row in csv.DictReader(stream)}
            for row in rows.values():
                float(row["flops"])
                row["workload"]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: not a table of kernels ({error}); expected is the .csv file that the "
            "workflow writes under results/HARDWARE/kernels/"
        ) from error
    return rows


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable ({error}); move it away to go on without what it says"
        ) from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; move it away to go on without what it says")
    return value
