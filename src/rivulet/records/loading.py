"""Have TVM load a database, and find the lines that look right but that it cannot use."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rivulet.errors import last_line
from rivulet.records.files import RECORDS, WORKLOADS, write_files
from rivulet.records.scan import DatabaseScan, mark_unloadable, scan_database
from rivulet.tvm_compat import load_tvm


def load_database(place: Path, logger: logging.Logger | None = None) -> Any:
    """MetaSchedule's database of two files that no line of looks damaged.

    Args:
        place: A folder for this alone: lines that TVM refuses are taken out of its files.
        logger: Told how many these were.
    """
    load_tvm()
    from tvm.s_tir import meta_schedule as ms

    try:
        return ms.database.JSONDatabase(work_dir=str(place))
    except Exception:
        scan = scan_database(place)
        mark_unloadable(scan, *find_unloadable(scan))
        workloads, records = (b"".join(lines) for lines in scan.sound())
        write_files(place, {WORKLOADS: workloads, RECORDS: records})
        if logger is not None:
            refused = len(scan.workloads.damage) + len(scan.records.damage)
            logger.warning("%s: %d line(s) that TVM refuses are not used", place, refused)
        return ms.database.JSONDatabase(work_dir=str(place))


def find_unloadable(
    scan: DatabaseScan, report: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[int, str], dict[int, str]]:
    """Ask TVM for every workload and record of a scan that is not damaged already.

    Args:
        scan: The scan; nothing is changed.
        report: Told how many of how many records are done.

    Returns:
        Line number of each unusable workload to TVM's reason, and the same of records.
    """
    load_tvm()
    from tvm.s_tir.meta_schedule.database import TuningRecord, Workload

    modules: dict[int, Any] = {}
    bad_workloads: dict[int, str] = {}
    for number, line in scan.workloads.good():
        try:
            modules[number] = Workload.from_json(json.loads(line))
        except Exception as error:
            bad_workloads[number] = f"TVM cannot read the workload: {_reason(error)}"
    bad_records: dict[int, str] = {}
    records = scan.records.good()
    for done, (number, line) in enumerate(records, 1):
        index, body = json.loads(line)
        module = modules.get(scan.same_as[index + 1])
        if module is not None:  # otherwise it goes with its workload
            try:
                TuningRecord.from_json(body, module)
            except Exception as error:
                bad_records[number] = f"TVM cannot read the record: {_reason(error)}"
        report(done, len(records))
    return bad_workloads, bad_records


def _reason(error: Exception) -> str:
    return last_line(error)[:160]
