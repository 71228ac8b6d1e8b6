"""Write parts of logs as a new one; no TVM."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rivulet.errors import UserError
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.scan import renumbered
from rivulet.records.stored import StoredLog, StoredRecord


def sample_log(out: Path, log: StoredLog, best: int, others: int) -> None:
    """Write a log with the fastest schedules of another and some of all the rest, for learning.

    Args:
        out: Folder to write; it must not hold anything.
        log: The log.
        best: How many of the fastest schedules to keep of each workload.
        others: How many more, evenly spread over the slower ones.

    Raises:
        UserError: ``out`` is in use.
    """
    kept = set()
    for records in ranked(log).values():
        rest = records[best:]
        step = max(1.0, len(rest) / others) if others else 0.0
        spread = [rest[int(step * n)] for n in range(min(others, len(rest)))]
        kept |= {record.line for record in [*records[:best], *spread]}
    with new_log(out) as folder:
        write_part(folder, log, kept)


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
    best = {_key(newer, number): records[0].seconds for number, records in ranked(newer).items()}
    beaten = {
        record.line
        for number, records in ranked(log).items()
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


def ranked(log: StoredLog) -> dict[int, list[StoredRecord]]:
    """The valid records of each workload, fastest first."""
    found: dict[int, list[StoredRecord]] = defaultdict(list)
    for record in sorted(log.records, key=lambda r: r.seconds):
        if record.seconds < float("inf"):
            found[record.workload].append(record)
    return found


def write_part(folder: Path, log: StoredLog, kept: set[int]) -> None:
    """Write all workloads and the records on some lines."""
    position = {number: index for index, number in enumerate(log.workloads)}
    (folder / WORKLOADS).write_bytes(b"".join(log.workloads.values()))
    (folder / RECORDS).write_bytes(
        b"".join(renumbered(r.text, position[r.workload]) for r in log.records if r.line in kept)
    )


@contextmanager
def new_log(out: Path) -> Iterator[Path]:
    """A folder to write a log to, which becomes ``out`` when all of it is written.

    Raises:
        UserError: ``out`` is there and not empty, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: there already; name a folder that is not there, or an empty one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from error
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
