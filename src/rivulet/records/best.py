"""The best latency of each workload of a log, without opening the log in TVM."""

from __future__ import annotations

import json
import math

from rivulet.kernels.extract import workload_hash
from rivulet.records.stored import StoredLog


def best_of_workloads(log: StoredLog) -> dict[str, tuple[float, int]]:
    """Structural hash of each workload that has a valid record to (best seconds, records)."""
    from tvm.s_tir.meta_schedule.database import Workload

    best: dict[int, tuple[float, int]] = {}
    for record in log.records:
        if math.isfinite(record.seconds):
            seconds, number = best.get(record.workload, (math.inf, 0))
            best[record.workload] = min(seconds, record.seconds), number + 1
    return {
        workload_hash(Workload.from_json(json.loads(line)).mod): best[number]
        for number, line in log.workloads.items()
        if number in best
    }
