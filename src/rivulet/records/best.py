"""The best record of each workload of a log, without opening the log as a database of TVM."""

from __future__ import annotations

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
    tasks = {row["workload"]: name for name, row in read_kernel_table(table).items()}
    workloads = load_workloads(log)
    best = [
        BestRecord(task, records[0], workloads[number])
        for number, records in log.ranked().items()
        if (task := tasks.get(workload_hash(workloads[number].mod)))
    ]
    return sorted(best, key=lambda one: (-one.stored.seconds, one.kernel))


def best_of_workloads(log: StoredLog) -> dict[str, tuple[float, int]]:
    """Structural hash of each workload that has a valid record to (best seconds, records)."""
    return {name: (records[0].seconds, len(records)) for name, records in _by_hash(log).items()}


def best_traces(log: StoredLog) -> dict[str, str]:
    """Structural hash of each workload that has a valid record to the digest of its best trace."""
    return {name: records[0].trace_key for name, records in _by_hash(log).items()}


def _by_hash(log: StoredLog) -> dict[str, list[StoredRecord]]:
    """Structural hash of each workload to its valid records, fastest first."""
    ranked = log.ranked()
    return {
        workload_hash(workload.mod): ranked[number]
        for number, workload in load_workloads(log).items()
        if number in ranked
    }
