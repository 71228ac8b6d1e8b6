"""Rows of the benchmark tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rivulet.benchmark.estimates import Groups, Sampling, estimate_latency, estimate_ratio
from rivulet.benchmark.repeat import Repeated
from rivulet.tables import columns_of, write_table


@dataclass
class MethodRow:
    """One method on one target, as every benchmark CSV has it; columns: docs/results.md."""

    hardware: str
    target: str
    source: str
    method: str
    log: str
    trials: int
    latency_ms: float | str = ""
    latency_ms_low: float | str = ""
    latency_ms_high: float | str = ""
    processes: int = 0
    samples: int = 0
    speedup_vs_untuned: float | str = ""
    speedup_vs_untuned_low: float | str = ""
    speedup_vs_untuned_high: float | str = ""
    speedup_vs_onnxruntime: float | str = ""
    speedup_vs_onnxruntime_low: float | str = ""
    speedup_vs_onnxruntime_high: float | str = ""
    share_of_ansor_speedup: float | str = ""
    share_of_ansor_speedup_low: float | str = ""
    share_of_ansor_speedup_high: float | str = ""
    search_seconds: float | str = ""
    kernel_sum_ms: float | str = ""
    ansor_sum_ms_at_equal_time: float | str = ""
    ansor_seconds_to_match: float | str = ""
    source_search_seconds: float | str = ""
    trials_measured: int | str = ""
    kernels_total: int | str = ""
    kernels_covered: int | str = ""
    flops_covered: float | str = ""
    max_rel_error: float | str = ""
    fingerprint: str = ""
    tvm_version: str = ""
    disturbed: str = ""
    error: str = ""


COLUMNS = columns_of(MethodRow)


# Column of each ratio to the method that is divided by the row's own. The speedups over an untuned
# latency that a share of speedups is made of cancel.
_RATIOS = {
    "speedup_vs_untuned": "untuned",
    "speedup_vs_onnxruntime": "onnxruntime",
    "share_of_ansor_speedup": "ansor",
}


def fill_latencies(rows: list[MethodRow], groups: Mapping[str, Groups], sampling: Sampling) -> None:
    """Fill in latencies, ratios and their intervals; methods without samples keep empty columns.

    Args:
        rows: One per method.
        groups: Method to latency samples in milliseconds, by process.
        sampling: How intervals are made.
    """
    for row in rows:
        own = groups.get(row.method)
        if not own:
            continue
        latency = estimate_latency(own, sampling)
        row.latency_ms = round(latency.value, 6)
        row.latency_ms_low, row.latency_ms_high = round(latency.low, 6), round(latency.high, 6)
        row.processes, row.samples = sum(map(bool, own)), sum(map(len, own))
        for column, method in _RATIOS.items():
            others = groups.get(method, ())
            both = sum(bool(a and b) for a, b in zip(own, others, strict=False))
            # One process of several says nothing of another, so that its ratio has no interval.
            if both < min(2, row.processes):
                continue
            ratio = estimate_ratio(others, own, sampling)
            for ending, value in (("", ratio.value), ("_low", ratio.low), ("_high", ratio.high)):
                setattr(row, column + ending, round(value, 4))


@dataclass(frozen=True)
class SampleRow:
    """One sample of a benchmark: a method's latency in a round of a process."""

    process: int
    used: str
    method: str
    sample: int
    latency_ms: float


def sample_rows(found: Repeated) -> list[SampleRow]:
    """Every sample that was taken, by process, method and round; ``used`` is no where set aside."""
    used = found.used
    return [
        SampleRow(process, "yes" if one in used else "no", method, number, round(latency, 6))
        for process, one in enumerate(found.results, 1)
        for method, samples in one.samples.items()
        for number, latency in enumerate(samples, 1)
    ]


def write_rows(rows: list[MethodRow], path: Path) -> None:
    """Write a table."""
    write_table(MethodRow, rows, path)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table, all values as text."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def collect_tables(paths: list[Path], path: Path) -> int:
    """Write all rows of several tables into one, sorted; returns how many.

    A target's own methods stand in the table of each of its pairs, measured there beside the
    pair's transfer; all are kept, because a ratio belongs to its own run.
    """
    import pandas as pd

    # As text: what a pair's table says is copied, not parsed and printed anew.
    tables = [pd.read_csv(one, dtype=str, keep_default_na=False) for one in paths]
    whole = pd.concat(tables) if tables else pd.DataFrame(columns=list(COLUMNS))
    order = ["hardware", "target", "log", "trials", "source"]
    whole = whole.sort_values(
        order, kind="stable", key=lambda c: c.astype(int) if c.name == "trials" else c
    )
    whole.to_csv(path, index=False)
    return len(whole)
