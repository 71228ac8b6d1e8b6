"""``candidates.csv``: every kernel of the target and every schedule that was tried on it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from rivulet.tables import write_table


@dataclass
class CandidateRow:
    """One schedule tried on one kernel, or the reason why a kernel has none.

    Attributes:
        kernel: Task name of the target kernel.
        kernel_class: Its class.
        weight: How often the model runs it.
        flops: Floating-point operations of one run.
        source: Source that the schedule comes from; empty for the default schedule.
        source_kernel: Task name of the source kernel; empty for the default schedule.
        kind: ``exact``, ``class``, ``anchor``, ``related`` or ``default``; empty when nothing
            could be tried.
        how: How its tiles were carried over: ``as it is``, ``projected``, ``registers``,
            ``threads`` or ``repaired``.
        rank: Place of the schedule among the source kernel's, from 1.
        distance: Sum of the absolute log ratios of the two kernels' loop extents.
        predicted: Cost model's score before it was measured; higher is faster.
        candidate: Structural hash of the scheduled kernel.
        valid: ``yes`` when it was replayed, built and run; empty when it was not measured.
        reason: Why it is not valid, not correct, or not taken.
        samples_us: Latency samples in microseconds, a JSON list.
        median_us: Their median.
        correct: ``yes`` when the output of the model with it was right, or its own where that was
            checked; ``no``, or empty when it was not checked.
        max_rel_error: Largest relative error against the default schedule's output, where the
            kernel was checked alone.
        chosen: ``yes`` for the schedule that the kernel gets.
    """

    kernel: str
    kernel_class: str
    weight: int
    flops: float
    source: str = ""
    source_kernel: str = ""
    kind: str = ""
    how: str = ""
    rank: str = ""
    distance: str = ""
    predicted: str = ""
    candidate: str = ""
    valid: str = "no"
    reason: str = ""
    samples_us: str = "[]"
    median_us: str = ""
    correct: str = ""
    max_rel_error: str = ""
    chosen: str = ""


def write_candidates(rows: list[CandidateRow], path: Path) -> None:
    """Write the table."""
    write_table(CandidateRow, rows, path)


def read_candidates(path: Path) -> list[dict[str, str]]:
    """Read the table."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def covered_kernels(rows: list[dict[str, str]]) -> set[str]:
    """Kernels on which a transferred candidate ran, and was not found to be wrong."""
    ran = (r for r in rows if r["valid"] == "yes" and r["kind"] != "default")
    return {row["kernel"] for row in ran if row["correct"] != "no"}
