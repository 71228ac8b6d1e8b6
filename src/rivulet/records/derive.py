"""Write parts of logs as a new one; no TVM."""

from __future__ import annotations

import json
from pathlib import Path

from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.scan import renumbered
from rivulet.records.stored import StoredLog, StoredRecord


def supersede_records(folder: Path, log: StoredLog, newer: StoredLog) -> None:
    """Write the database of a log in which some kernels' schedules were found to be beaten.

    Of a workload that ``newer`` has, its records come first, and of the older ones the fastest is
    left out, which ``newer`` has with another time, and all that claim to be faster than those of
    ``newer`` without having been measured beside them.

    Args:
        folder: Folder to write the database to.
        log: The log.
        newer: Schedules of some of its workloads with times that count.
    """
    best = {_key(newer, number): records[0].seconds for number, records in newer.ranked().items()}
    beaten = {
        record.line
        for number, records in log.ranked().items()
        if (key := _key(log, number)) in best
        for place, record in enumerate(records)
        if place == 0 or record.seconds <= best[key]
    }
    kept = [record for record in log.records if record.line not in beaten]
    write_records(folder, [(newer, newer.records), (log, kept)])


def _key(log: StoredLog, number: int) -> str:
    """What tells a workload from others, in whichever log it is."""
    key: str = json.loads(log.workloads[number])[0]
    return key


def write_part(folder: Path, log: StoredLog, kept: set[int]) -> None:
    """Write all workloads and the records on some lines."""
    position = {number: index for index, number in enumerate(log.workloads)}
    (folder / WORKLOADS).write_bytes(b"".join(log.workloads.values()))
    (folder / RECORDS).write_bytes(
        b"".join(renumbered(r.text, position[r.workload]) for r in log.records if r.line in kept)
    )


def write_records(folder: Path, parts: list[tuple[StoredLog, list[StoredRecord]]]) -> list[int]:
    """Write the workloads of some logs and some of their records, equal ones once.

    Returns:
        How many records came from each log.
    """
    positions: dict[str, int] = {}
    workloads: list[bytes] = []
    known: set[tuple[int, str]] = set()
    counts = []
    with (folder / RECORDS).open("wb") as stream:
        for log, records in parts:
            place = {}
            for number, line in log.workloads.items():
                key = _key(log, number)
                if key not in positions:
                    positions[key] = len(workloads)
                    workloads.append(line)
                place[number] = positions[key]
            before = len(known)
            for record in records:
                one = (place[record.workload], record.trace_key)
                if one not in known:
                    known.add(one)
                    stream.write(renumbered(record.text, one[0]))
            counts.append(len(known) - before)
    (folder / WORKLOADS).write_bytes(b"".join(workloads))
    return counts
