"""A log opened in part: TVM takes milliseconds for each schedule, and a log may hold thousands."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from rivulet.records.derive import sample_log
from rivulet.records.log import TuningLog
from rivulet.records.stored import StoredLog


def open_thinned(
    stored: StoredLog,
    place: Path,
    best: int,
    others: int = 0,
    logger: logging.Logger | None = None,
) -> TuningLog:
    """Open a log's fastest schedules, without its trials.

    Args:
        stored: The log.
        place: Folder for the part of it; replaced if it is there.
        best: Schedules of each workload.
        others: How many more, evenly spread over the slower ones, to learn from.
        logger: Told of what TVM refuses.
    """
    shutil.rmtree(place, ignore_errors=True)
    sample_log(place, stored, best, others)
    return TuningLog(place, logger)
