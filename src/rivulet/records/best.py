"""The best record of each workload of a log, without opening the log as a database of TVM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.kernels.extract import workload_hash
from rivulet.records.naming import load_record, load_workloads
from rivulet.records.stored import StoredLog, StoredRecord, read_kernel_table
from rivulet.tvm_compat.names import measured_schedule


@dataclass(frozen=True)
class BestRecord:
    """A kernel's best record.

    Attributes:
        kernel: Task name.
        stored: As it lies in the log.
        workload: Its workload, as TVM's object.
    """

    kernel: str
    stored: StoredRecord
    workload: Any

    def readable(self) -> tuple[str, str]:
        """Its trace as Python statements, and the scheduled kernel as TVMScript."""
        record = load_record(self.stored, self.workload)
        trace = "\n".join(str(line) for line in record.trace.as_python())
        return trace, str(measured_schedule(record).mod.script())


def best_by_kernel(log: StoredLog, table: Path) -> list[BestRecord]:
    """The best record of each kernel that has a valid one, the slowest kernel first.

    Args:
        log: The log.
        table: The kernel table of its model, whose names the kernels get.

    Raises:
        UserError: The table is not readable as such.
    """
    names = {row["workload"]: name for name, row in read_kernel_table(table).items()}
    workloads = _workloads(log)
    best: dict[str, BestRecord] = {}
    for record in log.records:
        if not math.isfinite(record.seconds) or record.workload not in workloads:
            continue
        workload = workloads[record.workload]
        name = names.get(workload.name)
        if name and (name not in best or record.seconds < best[name].stored.seconds):
            best[name] = BestRecord(name, record, workload.loaded)
    return sorted(best.values(), key=lambda one: (-one.stored.seconds, one.kernel))


def best_of_workloads(log: StoredLog) -> dict[str, tuple[float, int]]:
    """Structural hash of each workload that has a valid record to (best seconds, records)."""
    best: dict[int, tuple[float, int]] = {}
    for record in log.records:
        if math.isfinite(record.seconds):
            seconds, number = best.get(record.workload, (math.inf, 0))
            best[record.workload] = min(seconds, record.seconds), number + 1
    return {name: best[number] for number, name in _names(log).items() if number in best}


def best_traces(log: StoredLog) -> dict[str, str]:
    """Structural hash of each workload that has a valid record to the digest of its best trace."""
    best: dict[int, StoredRecord] = {}
    for record in log.records:
        before = best.get(record.workload)
        if record.seconds < (before.seconds if before else math.inf):
            best[record.workload] = record
    return {name: best[number].trace_key for number, name in _names(log).items() if number in best}


@dataclass(frozen=True)
class _Workload:
    name: str  # structural hash
    loaded: Any


def _workloads(log: StoredLog) -> dict[int, _Workload]:
    """Line number of each workload to it."""
    return {n: _Workload(workload_hash(one.mod), one) for n, one in load_workloads(log).items()}


def _names(log: StoredLog) -> dict[int, str]:
    """Line number of each workload to its structural hash."""
    return {number: workload.name for number, workload in _workloads(log).items()}
