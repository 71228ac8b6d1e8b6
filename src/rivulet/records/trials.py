"""A trial, and ``trials.csv``, where a published log has one row for each."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path

from rivulet.records.files import read_lines
from rivulet.records.scan import CUT_OFF, EMPTY, NUL, FileScan


@dataclass(frozen=True)
class Trial:
    """One measured candidate.

    Attributes:
        trial: Number of the trial in this log, from 1.
        elapsed_s: Seconds of measuring time from the first proposal to the end of the trial's
            batch, interruptions left out.
        kernel: Task name of the kernel.
        batch: Number of the batch it was measured in, from 1.
        strategy: Who proposed it: ``evolutionary``, ``droplet``, ``transfer``, or a repeated
            measurement of theirs.
        candidate: Structural hash of the scheduled kernel.
        propose_s: Seconds spent on proposing, its share of the batch.
        build_s: Seconds of compiling and linking.
        run_s: Seconds of loading, warming up and timing.
        samples_us: Latency samples in microseconds, a JSON list.
        error: Empty, or the stage and the reason of the failure.
        best_us: Best median latency of the kernel so far, microseconds.
        model_ms: Weighted sum of the kernels' best latencies so far, milliseconds; empty until
            every kernel has one.
    """

    trial: int
    elapsed_s: float
    kernel: str
    batch: int
    strategy: str
    candidate: str
    propose_s: float
    build_s: float
    run_s: float
    samples_us: str
    error: str
    best_us: str
    model_ms: str

    @property
    def samples(self) -> list[float]:
        """Latency samples in microseconds; empty when the trial failed."""
        samples: list[float] = json.loads(self.samples_us)
        return samples

    @property
    def median_us(self) -> float:
        """Median latency in microseconds; infinite when the trial failed."""
        ordered = sorted(self.samples)
        if not ordered:
            return math.inf
        middle = len(ordered) // 2
        return ordered[middle] if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) / 2


COLUMNS = tuple(column.name for column in fields(Trial))
HEADER = ",".join(COLUMNS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
# A table of another version is of use where it has these; the others can be made up.
_NEEDED = ("trial", "kernel", "candidate", "samples_us")
_MADE_UP = {
    "elapsed_s": "0", "propose_s": "0", "build_s": "0", "run_s": "0",
    "strategy": "", "error": "", "best_us": "", "model_ms": "",
}  # fmt: skip


@dataclass
class TrialsScan(FileScan):
    """``trials.csv``, line by line.

    Attributes:
        trials: The rows that can be used.
        header: What is wrong with the header; empty when nothing is.
    """

    trials: list[Trial] = field(default_factory=list)
    header: str = ""


def samples_text(seconds: tuple[float, ...]) -> str:
    """Samples in seconds as the column's JSON list in microseconds."""
    return json.dumps([round(s * 1e6, 4) for s in seconds])


def one_line(text: str) -> str:
    """A text without what ends a line, and without what is no text.

    A failure's reason may span lines, and quote bytes of a path or a program.
    """
    return _CONTROL.sub(" ", text).encode(errors="replace").decode()


def cleaned(trial: Trial) -> Trial:
    """A trial as a log keeps it."""
    return replace(
        trial,
        kernel=one_line(trial.kernel),
        strategy=one_line(trial.strategy),
        candidate=one_line(trial.candidate),
        error=one_line(trial.error),
    )


def trials_text(trials: Iterable[Trial]) -> str:
    """Trials as they stand in a file, the header first, one line each."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(cleaned(trial)) for trial in trials)
    return buffer.getvalue()


def write_trials(path: Path, trials: Iterable[Trial]) -> None:
    """Write a whole ``trials.csv``."""
    path.write_text(trials_text(trials))


def read_trials(path: Path) -> list[Trial]:
    """The rows of a ``trials.csv`` that can be used; an absent file has none."""
    return scan_trials(path).trials


def scan_trials(path: Path) -> TrialsScan:
    """Look at every line of a ``trials.csv``."""
    scan = TrialsScan(path, read_lines(path))
    columns = list(COLUMNS)
    for number, line in enumerate(scan.lines, 1):
        problem, cells = _cells(line)
        if number == 1 and cells == columns:
            continue
        if number == 1 and not problem and set(_NEEDED) <= set(cells):
            columns = cells
            scan.header = "the columns are those of another version"
            continue
        trial = None if problem else _parse(dict(zip(columns, cells, strict=False)))
        if trial is not None and len(cells) == len(columns):
            scan.trials.append(trial)
            if number == 1:
                scan.header = "the header is missing"
        else:
            scan.damage[number] = problem or "not a trial: a column is missing or no number"
            if number == 1:
                scan.damage[1] = scan.header = problem or "not the header"
    return scan


def _cells(line: bytes) -> tuple[str, list[str]]:
    """What is wrong with a line as CSV (empty when nothing is), and its cells."""
    if not line.strip():
        return EMPTY, []
    if b"\0" in line:
        return NUL, []
    if not line.endswith(b"\n"):
        return CUT_OFF, []
    try:
        rows = list(csv.reader([line.decode()], strict=True))
    except UnicodeDecodeError:
        return "garbled: not UTF-8 text", []
    except csv.Error:
        return "garbled: not CSV", []
    return ("", rows[0]) if len(rows) == 1 else ("garbled: not CSV", [])


def _parse(row: dict[str, str]) -> Trial | None:
    """The row as a trial; None where a cell does not hold what its column says."""
    row = {"batch": row.get("trial", ""), **_MADE_UP, **row}
    try:
        samples = json.loads(row["samples_us"])
        if not isinstance(samples, list):
            return None
        for value in (*samples, *filter(None, (row["best_us"], row["model_ms"]))):
            _finite(value)
        return Trial(
            trial=int(row["trial"]),
            elapsed_s=_finite(row["elapsed_s"]),
            kernel=row["kernel"],
            batch=int(row["batch"]),
            strategy=row["strategy"],
            candidate=row["candidate"],
            propose_s=_finite(row["propose_s"]),
            build_s=_finite(row["build_s"]),
            run_s=_finite(row["run_s"]),
            samples_us=row["samples_us"],
            error=row["error"],
            best_us=row["best_us"],
            model_ms=row["model_ms"],
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _finite(value: str | float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def why_nothing_ran(trials: Iterable[Trial], what: str) -> str:
    """What to say of trials that all failed, whose cause is outside them; empty for others.

    Args:
        trials: The trials.
        what: What they are called, in the plural.
    """
    reasons = Counter(trial.error for trial in trials)
    if not reasons or "" in reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    return (
        f"not one of {reasons.total()} {what} could be built and run; the most frequent reason "
        f"({count} times): {reason[:300]}"
    )
