"""A log's files read into the tables of a journal: which record belongs to which trial.

The files do not say so. What a search that is over published is read that way to see its first
trials alone, and the log of a search that an earlier version began, which grew as such files.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rivulet.records.files import FILES, TRIALS
from rivulet.records.loading import find_unloadable
from rivulet.records.scan import body_of, mark_unloadable, workload_of
from rivulet.records.storage import JOURNAL, NewRecord, Storage, open_storage
from rivulet.records.stored import StoredLog, read_files, read_log
from rivulet.records.trials import Trial

# Samples are written with four decimals of a microsecond.
_ROUNDING_US = 1e-3


@contextmanager
def open_log(folder: Path, by_trial: bool) -> Iterator[Storage]:
    """A log's tables for reading, whether it grew in this folder or was published to it.

    Args:
        folder: The log's folder.
        by_trial: Whether it matters which record belongs to which trial; those of a published log
            that belong to none are left out then.

    Raises:
        UserError: There is no log, or it cannot be read.
    """
    if (folder / JOURNAL).exists():
        with open_storage(folder / JOURNAL, snapshot=True) as storage:
            yield storage
    else:
        with open_storage(None) as storage:
            log = read_files(folder)
            storage.add(log.trials, _records(log, log.trials, by_trial), _workloads(log))
            yield storage


def begin_log(
    folder: Path, start: Path, wanted: Callable[[Trial], bool], usable: Callable[[Trial], bool]
) -> None:
    """Make a log begin with trials of another, unless it has begun already.

    Args:
        folder: The log's folder.
        start: Folder of the other log.
        wanted: Which of its trials, all of which have a record, where they ran.
        usable: Those whose records are taken too.
    """
    if (folder / TRIALS).exists():
        return  # begun by an earlier version
    with open_storage(folder / JOURNAL) as storage:
        if storage.is_new:
            log = read_log(start)
            trials = [trial for trial in log.trials if wanted(trial)]
            records = _records(log, trials, by_trial=True)
            storage.add(trials, [r for r in records if usable(trials[r.trial or 0])])


def take_over(folder: Path, logger: logging.Logger | None) -> None:
    """Take over the log of an earlier version, once, where a journal has files and no tables.

    The files stay as they are. Records of a batch that was cut off are of no trial: they are not
    part of the budget, so they must not be part of the result either.

    Args:
        folder: The journal's folder.
        logger: Told what was taken over and what was left aside.
    """
    if not any((folder / name).exists() for name in FILES):
        return
    with open_storage(folder / JOURNAL) as storage:
        if not storage.is_new:
            return
        log = read_files(folder)
        mark_unloadable(log.database, *find_unloadable(log.database))
        records = _records(log, log.trials, by_trial=True)
        storage.add(log.trials, records)
    aside = len(log.records) - len(records) + log.damaged()
    if logger is not None and (log.trials or aside):
        logger.warning(
            "%s: the log of an earlier version is taken over: %d trial(s), %d schedule(s); "
            "%d line(s) of its files, damaged or of no trial, are not used",
            folder, len(log.trials), len(records), aside,
        )  # fmt: skip


def match_records(
    trials: Sequence[Sequence[float]], latencies_us: Sequence[float]
) -> list[int | None]:
    """Which record of the database each trial has.

    A trial that ran has one record, and both stand in the order of measuring. So the two files
    tell the same story, except that damaged lines may be missing from either, and trials may have
    no record. The latency, which both hold, tells what is missing.

    Args:
        trials: Samples of each trial in microseconds, none for one that failed.
        latencies_us: Latency of each record in microseconds, in the file's order.

    Returns:
        For each trial the number of its record, from 0; None where it failed or its record is
        lost.
    """
    found: list[int | None] = [None] * len(trials)
    ran = [(index, statistics.median(one)) for index, one in enumerate(trials) if one]
    place = number = 0
    while place < len(ran) and number < len(latencies_us):
        index, median = ran[place]
        if _same(latencies_us[number], median):
            found[index] = number
            place, number = place + 1, number + 1
            continue
        skipped = _next_agreement([median for _, median in ran[place:]], latencies_us[number:])
        if skipped is None:
            break
        place, number = place + skipped[0], number + skipped[1]
    return found


def _records(log: StoredLog, trials: Sequence[Trial], by_trial: bool) -> list[NewRecord]:
    """Records of a log: all, or those of some of its trials, with these."""
    names = _workloads(log)
    records = [
        NewRecord(names[workload_of(line)], body_of(line)) for line in log.database.sound()[1]
    ]
    if not by_trial:
        return records
    latencies = [record.seconds * 1e6 for record in log.records]
    matched = match_records([trial.samples for trial in trials], latencies)
    places = {number: place for place, number in enumerate(matched) if number is not None}
    return [replace(records[number], trial=place) for number, place in sorted(places.items())]


def _workloads(log: StoredLog) -> list[str]:
    return [line.decode().strip() for line in log.database.sound()[0]]


def _same(latency_us: float, median_us: float) -> bool:
    return abs(latency_us - median_us) < _ROUNDING_US


def _next_agreement(left: Sequence[float], right: Sequence[float]) -> tuple[int, int] | None:
    """Places of the nearest equal latencies, the fewest skipped; None where there are none.

    Of two that are as near, the one that takes more of ``left`` for lost.
    """
    for skipped in range(len(left) + len(right) - 1):
        for from_left in range(min(skipped, len(left) - 1), -1, -1):
            from_right = skipped - from_left
            if from_right < len(right) and _same(left[from_left], right[from_right]):
                return from_left, from_right
    return None
