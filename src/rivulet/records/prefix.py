"""The log as it was after its first trials, and which record of it belongs to which trial."""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rivulet.records.log import FILES, RECORDS, TRIALS, WORKLOADS
from rivulet.records.mend import mend_files
from rivulet.records.trials import Trial, read_trials

# Samples are written with four decimals of a microsecond.
_ROUNDING_US = 1e-3


def match_records(trials: Sequence[Trial], latencies_us: Sequence[float]) -> list[int | None]:
    """Which record of the database each trial has.

    A trial that ran has one record, and both are appended in the order of measuring, the record
    first. So the two files tell the same story, except that a kill leaves records at the end
    whose trials were not written any more, and that a damaged line may be missing from either.
    The latency, which both hold, tells what is missing.

    Args:
        trials: Rows of ``trials.csv``, in order.
        latencies_us: Median latency of each record in microseconds, in the file's order.

    Returns:
        For each trial the number of its record, from 0; None where it failed or its record is
        lost.
    """
    found: list[int | None] = [None] * len(trials)
    ran = [
        (index, statistics.median(samples))
        for index, trial in enumerate(trials)
        if (samples := json.loads(trial.samples_us))
    ]
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


def drop_unrecorded(folder: Path, logger: logging.Logger) -> list[Trial]:
    """Make a log's database hold the records of its trials, and no others.

    A kill between the two files leaves records of trials that are not in ``trials.csv``: they
    are not part of the budget, so they must not be part of the result either. They are set aside
    beside the file, as damaged lines are, which are mended first.

    Args:
        folder: The log's folder.
        logger: Told what was set aside.

    Returns:
        The log's trials.
    """
    mend_files(folder, logger)
    trials, path = read_trials(folder / TRIALS), folder / RECORDS
    latencies = _latencies_us(path)
    matched = match_records(trials, latencies)
    kept = {number for number in matched if number is not None}
    if len(kept) < len(latencies):
        with path.open() as lines, path.with_name(path.name + ".damaged").open("a") as aside:
            aside.writelines(line for i, line in enumerate(lines) if i not in kept)
        _copy_lines(path, path, kept)
        text = "%s: %d record(s) of a batch that was cut off set aside in %s.damaged"
        logger.warning(text, path, len(latencies) - len(kept), RECORDS)
    return trials


def write_prefix(folder: Path, destination: Path, count: int) -> list[Path]:
    """Write a log as it was when it had its first ``count`` trials.

    Args:
        folder: The log; no batch is being recorded in it meanwhile.
        destination: Folder to write to.
        count: Number of trials; all there are when there are fewer.

    Returns:
        Paths of the files written.
    """
    destination.mkdir(parents=True, exist_ok=True)
    trials, records = read_trials(folder / TRIALS)[:count], folder / RECORDS
    used = {i for i in match_records(trials, _latencies_us(records)) if i is not None}
    workload = -1
    if used:
        with records.open() as lines:
            workload = max(json.loads(line)[0] for i, line in enumerate(lines) if i in used)
    # Workloads are numbered in the order in which kernels got their first record.
    _copy_lines(folder / WORKLOADS, destination / WORKLOADS, range(workload + 1))
    _copy_lines(records, destination / RECORDS, used)
    _copy_lines(folder / TRIALS, destination / TRIALS, range(len(trials) + 1))
    return [destination / name for name in FILES]


def copy_records(
    folder: Path, destination: Path, trials: Sequence[Trial], wanted: Callable[[Trial], bool]
) -> None:
    """Write the records of some of a log's trials to another folder, in the same order.

    Args:
        folder: The log.
        destination: Folder to write to.
        trials: Those trials of the log that the database has records of, where they ran.
        wanted: Which of them to take.
    """
    matched = match_records(trials, _latencies_us(folder / RECORDS))
    pairs = zip(trials, matched, strict=True)
    kept = {number for trial, number in pairs if number is not None and wanted(trial)}
    _copy_lines(folder / RECORDS, destination / RECORDS, kept)


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


def _latencies_us(records: Path) -> list[float]:
    """Median latency of each record; NaN, which equals nothing, for one without any."""
    if not records.exists():
        return []
    latencies = []
    with records.open() as lines:
        for line in lines:
            seconds: list[float] = json.loads(line)[1][1]
            latencies.append(statistics.median(seconds) * 1e6 if seconds else math.nan)
    return latencies


def _copy_lines(source: Path, destination: Path, numbers: Iterable[int]) -> None:
    """Write the chosen lines of a file to another, or over itself, in one step."""
    chosen = set(numbers)
    temporary = destination.with_name(f".{destination.name}.partial")
    with temporary.open("w") as stream:
        if source.exists():
            with source.open() as lines:
                stream.writelines(line for i, line in enumerate(lines) if i in chosen)
    temporary.replace(destination)
