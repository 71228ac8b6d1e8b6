"""The best record of each workload of a log, without opening the log in TVM."""

from __future__ import annotations

import json
import math

from rivulet.kernels.extract import workload_hash
from rivulet.records.stored import StoredLog, StoredRecord


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


def _names(log: StoredLog) -> dict[int, str]:
    """Line number of each workload to its structural hash."""
    from tvm.s_tir.meta_schedule.database import Workload

    return {
        number: workload_hash(Workload.from_json(json.loads(line)).mod)
        for number, line in log.workloads.items()
    }
