"""The schedules of a log, opened as a database of TVM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rivulet.kernels import Kernel


class Schedules:
    """Some schedules of a log.

    Args:
        database: MetaSchedule's database of them.

    Attributes:
        database: The same.
    """

    def __init__(self, database: Any) -> None:
        self.database = database

    def best_records(self, kernel: Kernel, count: int) -> list[Any]:
        """The kernel's best valid records, fastest first; empty when it has none."""
        if not self.database.has_workload(kernel.module):
            return []
        workload = self.database.commit_workload(kernel.module)
        return [r for r in self.database.get_top_k(workload, count) if r.run_secs]

    def best_modules(self, kernels: Iterable[Kernel]) -> dict[str, Any]:
        """The best scheduled module of each kernel that has a valid record, by task name."""
        return {
            kernel.task: records[0].as_measure_candidate().sch.mod
            for kernel in kernels
            if (records := self.best_records(kernel, 1))
        }


def record_latency(record: Any) -> float:
    """Latency of a tuning record in seconds, as the database ranks it."""
    seconds = [float(s) for s in record.run_secs]
    return sum(seconds) / len(seconds)
