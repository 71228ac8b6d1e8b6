"""Find the lines that look right but that TVM cannot use."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rivulet.errors import last_line
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.recover import DatabaseScan, renumbered, workload_of
from rivulet.tvm_compat import load_tvm

_AT_ONCE = 256


def find_unloadable(
    scan: DatabaseScan, report: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[int, str], dict[int, str]]:
    """Ask TVM for every workload and record of a scan that is not damaged already.

    TVM loads many records together about twice as fast as one by one, so that they are tried in
    batches, and one by one only in a batch with a bad one.

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
    usable = {n: modules[first] for n, first in scan.same_as.items() if first in modules}
    records = [(n, line) for n, line in scan.records.good() if workload_of(line) + 1 in usable]
    bad_records: dict[int, str] = {}
    for begin in range(0, len(records), _AT_ONCE):
        share = records[begin : begin + _AT_ONCE]
        if not _loads(scan, share):
            for number, line in share:
                index, body = json.loads(line)
                try:
                    TuningRecord.from_json(body, usable[index + 1])
                except Exception as error:
                    bad_records[number] = f"TVM cannot read the record: {_reason(error)}"
        report(begin + len(share), len(records))
    return bad_workloads, bad_records


def _loads(scan: DatabaseScan, records: list[tuple[int, bytes]]) -> bool:
    """Does TVM load these records, as a database with their workloads alone?"""
    from tvm.s_tir import meta_schedule as ms

    positions: dict[int, int] = {}
    lines = []
    for _, line in records:
        kept = scan.same_as[workload_of(line) + 1]
        index = positions.setdefault(kept, len(positions))
        lines.append(renumbered(line, index))
    with tempfile.TemporaryDirectory(prefix="rivulet-load-") as name:
        folder = Path(name)
        (folder / WORKLOADS).write_bytes(b"".join(scan.workloads.lines[n - 1] for n in positions))
        (folder / RECORDS).write_bytes(b"".join(lines))
        try:
            ms.database.JSONDatabase(work_dir=name)
        except Exception:
            return False
    return True


def _reason(error: Exception) -> str:
    return last_line(error)[:160]
