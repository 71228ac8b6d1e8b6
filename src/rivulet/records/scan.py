"""Find what is damaged in MetaSchedule's two files; no TVM.

Published logs may come from anywhere. TVM reads both files or, at the first line that it cannot
use, neither; an empty line ends the whole process. So each line is looked at before TVM sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivulet.records.files import RECORDS, WORKLOADS, read_lines

CUT_OFF = "cut off: the line has no end"
EMPTY = "empty line"
NUL = "NUL bytes, as a power failure leaves them"


@dataclass
class FileScan:
    """One file, line by line.

    Attributes:
        path: The file.
        lines: Its lines with their ends.
        damage: Number of each damaged line, from 1, to what is wrong with it.
    """

    path: Path
    lines: list[bytes] = field(default_factory=list)
    damage: dict[int, str] = field(default_factory=dict)

    def good(self) -> list[tuple[int, bytes]]:
        """Number and content of the lines that are not damaged."""
        return [(n, line) for n, line in enumerate(self.lines, 1) if n not in self.damage]


@dataclass
class DatabaseScan:
    """Both files of a database, and which workload each line number stands for.

    Attributes:
        workloads: The file of workloads.
        records: The file of records.
        same_as: Line number of each usable or repeated workload to the line that is kept for it.
    """

    workloads: FileScan
    records: FileScan
    same_as: dict[int, int]

    def sound(self) -> tuple[list[bytes], list[bytes]]:
        """Lines of both files without the damaged ones, records renumbered."""
        kept = [number for number, _ in self.workloads.good()]
        position = {number: index for index, number in enumerate(kept)}
        records = [
            # Only the number is rewritten: parsing and writing floats again would alter them.
            renumbered(line, position[self.same_as[workload_of(line) + 1]])
            for _, line in self.records.good()
        ]
        return [self.workloads.lines[number - 1] for number in kept], records


def scan_database(folder: Path) -> DatabaseScan:
    """Look at every line of a log's database."""
    return scan_lines(folder, read_lines(folder / WORKLOADS), read_lines(folder / RECORDS))


def scan_lines(
    folder: Path, workload_lines: list[bytes], record_lines: list[bytes]
) -> DatabaseScan:
    """Look at every line of a database, wherever they come from.

    Args:
        folder: The log's folder.
        workload_lines: Lines of the workloads.
        record_lines: Lines of the records.
    """
    workloads = FileScan(folder / WORKLOADS, workload_lines)
    same_as: dict[int, int] = {}
    first_line: dict[str, int] = {}
    for number, line in enumerate(workloads.lines, 1):
        problem, value = parse_line(line)
        problem = problem or workload_problem(value)
        if problem:
            workloads.damage[number] = problem
            continue
        # Equal modules have equal hashes and equal text; one of the two may be garbled.
        first = first_line.get(value[0], first_line.get(value[1], number))
        same_as[number] = first
        if first != number:
            # TVM numbers new workloads by how many different ones it knows: after a repeated
            # line, every record of a new workload would name the line before its own.
            workloads.damage[number] = f"the same workload as line {first}"
        for key in value:
            first_line.setdefault(key, first)
    records = FileScan(folder / RECORDS, record_lines)
    for number, line in enumerate(records.lines, 1):
        problem, value = parse_line(line)
        problem = problem or record_problem(value, same_as)
        if problem:
            records.damage[number] = problem
    return DatabaseScan(workloads, records, same_as)


def mark_unloadable(scan: DatabaseScan, workloads: dict[int, str], records: dict[int, str]) -> None:
    """Add to a scan what only TVM can tell.

    Args:
        scan: The scan; it is changed.
        workloads: Line number of each unusable workload to the reason.
        records: The same of records.
    """
    scan.workloads.damage.update(workloads)
    scan.same_as = {n: first for n, first in scan.same_as.items() if first not in workloads}
    scan.records.damage.update(records)
    for number, line in scan.records.good():
        if workload_of(line) + 1 not in scan.same_as:
            scan.records.damage[number] = _lost_workload(workload_of(line))


def parse_line(line: bytes) -> tuple[str, Any]:
    """What is wrong with a line as JSON (empty when nothing is), and its value."""
    if not line.strip():
        return EMPTY, None
    if b"\0" in line:
        return NUL, None
    if not line.endswith(b"\n"):
        return CUT_OFF, None
    try:
        return "", json.loads(line.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        return "garbled: not UTF-8 text", None
    except (ValueError, RecursionError):
        return "garbled: not JSON", None


def workload_problem(value: Any) -> str:
    """What keeps a JSON value from being a workload; empty when nothing does."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value):
        return ""
    return "not a workload: [hash, module] expected"


def record_problem(value: Any, workloads: Iterable[int]) -> str:
    """What keeps a JSON value from being a tuning record; empty when nothing does.

    Args:
        value: The value.
        workloads: Line numbers, from 1, of the workloads that are there.
    """
    shape = "not a record: [workload, [trace, seconds, target, arguments]] expected"
    if not (isinstance(value, list) and len(value) == 2 and type(value[0]) is int):
        return shape
    index, body = value
    if not (isinstance(body, list) and len(body) == 4):
        return shape
    if index + 1 not in workloads:
        return _lost_workload(index)
    trace, seconds, target, arguments = body
    if not _is_trace(trace):
        return "not a record: its trace has another shape"
    if not (seconds is None or (isinstance(seconds, list) and all(map(_is_number, seconds)))):
        return "not a record: its latencies are no list of numbers"
    if not isinstance(target, dict | str | None):
        return "not a record: its target is no object"
    if not (arguments is None or _is_list_of_lists(arguments)):
        return "not a record: its arguments are no list"
    return ""


def workload_of(line: bytes) -> int:
    """Number of the workload, from 0, that a record's line begins with."""
    return int(line[line.index(b"[") + 1 : line.index(b",")])


def renumbered(line: bytes, workload: int) -> bytes:
    """A record's line under another workload number, the rest byte by byte as it was."""
    return b"[%d%b" % (workload, line[line.index(b",") :])


def body_of(line: bytes) -> str:
    """What a record's line holds after the number of the workload, byte by byte as it was."""
    return line[line.index(b",") + 1 : line.rindex(b"]")].decode()


def _lost_workload(index: int) -> str:
    return f"names workload {index}, which is not there"


def _is_trace(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 2 and _is_list_of_lists(value)):
        return False
    instructions, decisions = value
    return all(
        isinstance(inst, list)
        and len(inst) == 4
        and isinstance(inst[0], str)
        and _is_list_of_lists([inst[1], inst[2], inst[3]])
        for inst in instructions
    ) and all(isinstance(one, list) and len(one) == 2 and type(one[0]) is int for one in decisions)


def _is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, list) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
