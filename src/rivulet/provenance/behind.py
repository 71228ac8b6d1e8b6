"""What stands behind an artefact, found by its record alone."""

from __future__ import annotations

from pathlib import Path

from rivulet.errors import UserError
from rivulet.paths import RECORD
from rivulet.provenance.record import read_record

_LIBRARY = ".so"


def library_of(record: Path) -> Path:
    """The compiled model that a record speaks for.

    Raises:
        UserError: It names none.
    """
    found = [Path(name) for name in read_record(record).outputs if name.endswith(_LIBRARY)]
    if not found:
        raise UserError(f"{record}: names no compiled model; delete it, and it is made again")
    return found[0]


def log_record_of(record: Path) -> Path:
    """The record of the log whose schedules a compiled model has; a transfer's is its log's own.

    Raises:
        UserError: It names none.
    """
    if record.name == RECORD:
        return record
    found = [Path(name) for name in read_record(record).inputs if Path(name).name == RECORD]
    if not found:
        raise UserError(f"{record}: names no log; delete it, and it is made again")
    return found[0]
