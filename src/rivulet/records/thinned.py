"""A log opened in part: TVM takes milliseconds for each schedule, and a log may hold thousands."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from rivulet.records.derive import write_part
from rivulet.records.loading import load_database
from rivulet.records.schedules import Schedules
from rivulet.records.stored import StoredLog


def open_thinned(
    stored: StoredLog,
    place: Path,
    best: int = 3,
    others: int = 0,
    *,
    logger: logging.Logger | None = None,
) -> Schedules:
    """Open a log's fastest schedules; nothing is written to it.

    Args:
        stored: The log.
        place: Folder for the part of it; replaced if it is there.
        best: Schedules of each workload; where one is wanted, the others are there in case that
            TVM refuses it.
        others: How many more, evenly spread over the slower ones, to learn from.
        logger: Told of what TVM refuses.
    """
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    kept = set()
    for records in stored.ranked().values():
        rest = records[best:]
        step = max(1.0, len(rest) / others) if others else 0.0
        spread = [rest[int(step * n)] for n in range(min(others, len(rest)))]
        kept |= {record.line for record in [*records[:best], *spread]}
    write_part(place, stored, kept)
    return Schedules(load_database(place, logger))
