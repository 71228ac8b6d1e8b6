"""``trials.csv``: one row per measured candidate, written the moment its batch is measured."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path

from rivulet.provenance.record import write_atomically
from rivulet.records.recover import recover_lines


@dataclass(frozen=True)
class Trial:
    """One measured candidate.

    Attributes:
        trial: Number of the trial in this log, from 1.
        elapsed_s: Seconds of measuring time since the first proposal, interruptions left out.
        kernel: Task name of the kernel.
        batch: Number of the batch it was measured in, from 1.
        strategy: Who proposed it.
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


COLUMNS = tuple(field.name for field in fields(Trial))
HEADER = ",".join(COLUMNS)


def samples_text(seconds: tuple[float, ...]) -> str:
    """Samples in seconds as the column's JSON list in microseconds."""
    return json.dumps([round(s * 1e6, 4) for s in seconds])


def append_trials(path: Path, trials: list[Trial]) -> None:
    """Append rows and force them to disk."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if not path.exists() or path.stat().st_size == 0:
        writer.writerow(COLUMNS)
    for trial in trials:
        # A reason may span lines; a row must not, or a cut-off one could not be told.
        row = [str(getattr(trial, name)).replace("\n", " ") for name in COLUMNS]
        writer.writerow(row)
    with path.open("a") as stream:
        stream.write(buffer.getvalue())
        stream.flush()
        os.fsync(stream.fileno())


def read_trials(path: Path) -> list[Trial]:
    """Read the rows; an absent file has none. Call `recover_trials` on one that may be cut off."""
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return [_parse(row) for row in csv.DictReader(stream)]


def recover_trials(path: Path) -> int:
    """Set aside rows that do not parse; returns how many."""
    count = recover_lines(path, _is_row)
    if path.exists():
        text = path.read_text()
        if text and text.split("\n", 1)[0] != HEADER:
            write_atomically(path, f"{HEADER}\n{text}")
    return count


def _is_row(line: str) -> bool:
    if line.strip() == HEADER:
        return True
    rows = list(csv.reader([line]))
    if len(rows) != 1 or len(rows[0]) != len(COLUMNS):
        return False
    try:
        _parse(dict(zip(COLUMNS, rows[0], strict=True)))
    except ValueError:
        return False
    return True


def _parse(row: dict[str, str]) -> Trial:
    json.loads(row["samples_us"])
    return Trial(
        trial=int(row["trial"]),
        elapsed_s=float(row["elapsed_s"]),
        kernel=row["kernel"],
        batch=int(row["batch"]),
        strategy=row["strategy"],
        candidate=row["candidate"],
        propose_s=float(row["propose_s"]),
        build_s=float(row["build_s"]),
        run_s=float(row["run_s"]),
        samples_us=row["samples_us"],
        error=row["error"],
        best_us=row["best_us"],
        model_ms=row["model_ms"],
    )
