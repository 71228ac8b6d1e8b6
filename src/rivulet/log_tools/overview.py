"""What a log holds, as a table for people and as data for programs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rivulet.jobs.progress import duration
from rivulet.kernels.naming import short_name
from rivulet.records.stored import StoredLog, find_kernel_table, read_kernel_table
from rivulet.records.trials import Trial

_HEADINGS = ("kernel", "trials", "failed", "best us", "GFLOP/s", "found at trial", "after")


@dataclass(frozen=True)
class KernelRow:
    """One kernel of a log.

    Attributes:
        kernel: Task name.
        trials: Rows of ``trials.csv``.
        failed: Those among them that failed.
        best_us: Best latency in microseconds; None while nothing ran.
        gflops: Billions of floating-point operations a second at that latency; None where the
            kernel's operations are not known, or are none.
        found_at_trial: Number of the trial that had it.
        found_after_s: Seconds of measuring time until then.
    """

    kernel: str
    trials: int
    failed: int
    best_us: float | None
    gflops: float | None
    found_at_trial: int | None
    found_after_s: float | None


@dataclass(frozen=True)
class Overview:
    """A log at a glance.

    Attributes:
        log: Its folder.
        model: Model; empty when unknown.
        hardware: Device; empty when unknown.
        trials: Trials in all.
        failed: Those among them that failed.
        seconds: Measuring time.
        workloads: Workloads in the database.
        records: Schedules in the database.
        damaged: Damaged lines, which are left out.
        kernels: One row per kernel, in order of appearance.
        failures: How often each reason occurs, most frequent first.
    """

    log: str
    model: str
    hardware: str
    trials: int
    failed: int
    seconds: float
    workloads: int
    records: int
    damaged: int
    kernels: list[KernelRow]
    failures: list[tuple[int, str]]


def overview(log: StoredLog, table: Path | None = None) -> Overview:
    """Summarise a log.

    Args:
        log: The log.
        table: Table of its kernels; by default the one that the log's record leads to.
    """
    table = table or find_kernel_table(log)
    flops = {}
    if table is not None:
        flops = {task: float(row["flops"]) for task, row in read_kernel_table(table).items()}
    groups: dict[str, list[Trial]] = {}
    for trial in log.trials:
        groups.setdefault(trial.kernel, []).append(trial)
    rows = [_kernel_row(kernel, trials, flops.get(kernel)) for kernel, trials in groups.items()]
    return Overview(
        log=str(log.folder),
        model=log.origin.model,
        hardware=log.origin.hardware,
        trials=len(log.trials),
        failed=sum(row.failed for row in rows),
        seconds=max((trial.elapsed_s for trial in log.trials), default=0.0),
        workloads=len(log.workloads),
        records=len(log.database.records.good()),
        damaged=log.damaged(),
        kernels=rows,
        failures=failure_counts(log.trials),
    )


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial of a kernel that its present best latency comes from; None while nothing ran.

    The strategy's own word counts, ``best_us`` of the last row: droplet and transfer decide by
    more than the fastest sample.
    """
    stated = next((t.best_us for t in reversed(trials) if t.best_us), "")
    if not stated:
        return None
    best = float(stated)
    measured = [t for t in trials if t.samples]
    same = (t for t in measured if math.isclose(t.median_us, best, abs_tol=1e-3))
    reached = (t for t in trials if t.best_us and float(t.best_us) <= best)
    return next(same, None) or next(reached)


def failure_counts(trials: Sequence[Trial]) -> list[tuple[int, str]]:
    """How often each reason of failure occurs; reasons that differ in numbers alone are one."""
    counts: dict[str, list[str]] = {}
    for trial in trials:
        if trial.error:
            kind = re.sub(r"0x[0-9a-f]+|\d+", "#", trial.error[:200])
            counts.setdefault(kind, []).append(trial.error)
    ordered = sorted(counts.values(), key=len, reverse=True)
    return [(len(texts), texts[0]) for texts in ordered]


def overview_lines(one: Overview) -> list[str]:
    """The overview for a terminal."""
    name = " on ".join(filter(None, (one.model, one.hardware)))
    title = f"{one.log} ({name})" if name else one.log
    lines = [
        title,
        f"{one.trials} trials in {duration(one.seconds)} of measuring, {one.failed} failed; "
        f"{one.records} schedules of {one.workloads} workloads",
        "",
        *table_lines(
            _HEADINGS,
            [
                (
                    short_name(row.kernel),
                    str(row.trials),
                    str(row.failed),
                    "-" if row.best_us is None else _microseconds(row.best_us),
                    _or_dash(row.gflops, "{:.1f}"),
                    _or_dash(row.found_at_trial, "{}"),
                    "-" if row.found_after_s is None else duration(row.found_after_s),
                )
                for row in one.kernels
            ],
        ),
    ]
    if one.failures:
        lines += ["", "failures"]
        lines += [f"  {count:>5}  {reason[:160]}" for count, reason in one.failures]
    return lines


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table: the first column to the left, numbers to the right, a rule under the headings."""
    cells = [headings, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def overview_data(one: Overview) -> dict[str, Any]:
    """The overview as JSON-ready data."""
    data = asdict(one)
    data["failures"] = [{"count": count, "reason": reason} for count, reason in one.failures]
    return data


def _kernel_row(kernel: str, trials: list[Trial], flops: float | None) -> KernelRow:
    best = best_trial(trials)
    stated = next((float(t.best_us) for t in reversed(trials) if t.best_us), None)
    rate = flops / stated / 1e3 if flops and stated else None
    return KernelRow(
        kernel=kernel,
        trials=len(trials),
        failed=sum(bool(trial.error) for trial in trials),
        best_us=stated,
        gflops=round(rate, 3) if rate else None,
        found_at_trial=best.trial if best else None,
        found_after_s=best.elapsed_s if best else None,
    )


def _microseconds(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
