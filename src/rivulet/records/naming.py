"""Which kernel is a workload of a log?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rivulet.kernels.extract import workload_hash
from rivulet.records.stored import StoredLog, StoredRecord, find_kernel_table, read_kernel_table
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.names import candidate_name, measured_schedule

_TRIED_PER_WORKLOAD = 5


def load_workloads(log: StoredLog) -> dict[int, Any]:
    """Line number of each workload to it, as MetaSchedule's ``Workload``."""
    load_tvm()
    from tvm.s_tir.meta_schedule.database import Workload

    return {n: Workload.from_json(json.loads(line)) for n, line in log.workloads.items()}


def name_workloads(
    log: StoredLog, workloads: Mapping[int, Any], table: Path | None = None
) -> dict[int, str]:
    """Task names of workloads, as far as they are known.

    The table of the model's kernels names them all. Without one, the trials do: they bear the
    names of the scheduled code that the records replay to. But a log may have records of other
    logs, such as those of kernels that a droplet did not look at, and no trial of them.

    Args:
        log: The log.
        workloads: Some of what `load_workloads` found in it.
        table: Table of the kernels; by default the one that the log's record leads to.

    Raises:
        UserError: The table is not readable as such.
    """
    table = table or find_kernel_table(log)
    rows = read_kernel_table(table) if table is not None else {}
    tasks = {row["workload"]: task for task, row in rows.items()}
    trials = {trial.candidate: trial.kernel for trial in log.trials}
    medians = {round(trial.median_us, 3) for trial in log.trials if trial.samples}
    names: dict[int, str] = {}
    for number, workload in workloads.items():
        name = tasks.get(workload_hash(workload.mod))
        if name is None and trials:
            name = _by_candidates(log, number, workload, trials, medians=medians)
        if name is not None:
            names[number] = name
    return names


def load_record(record: StoredRecord, workload: Any) -> Any:
    """A record as MetaSchedule's ``TuningRecord``, given its ``Workload``."""
    from tvm.s_tir.meta_schedule.database import TuningRecord

    return TuningRecord.from_json(record.body, workload)


def _by_candidates(
    log: StoredLog, number: int, workload: Any, trials: dict[str, str], *, medians: set[float]
) -> str | None:
    records = [record for record in log.records if record.workload == number]
    # Those with a latency that some trial has are most likely to be its.
    records.sort(key=lambda record: round(record.seconds * 1e6, 3) not in medians)
    for record in records[:_TRIED_PER_WORKLOAD]:
        code = candidate_name(measured_schedule(load_record(record, workload)).mod)
        if code in trials:
            return trials[code]
    return None
