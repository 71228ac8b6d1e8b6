"""Rows of the benchmark tables."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from rivulet.measure.statistics import bootstrap_median_interval, median
from rivulet.tables import columns_of, write_table


@dataclass
class MethodRow:
    """One method on one target, as every benchmark CSV has it; see README for each column."""

    hardware: str
    target: str
    source: str
    method: str
    log: str
    trials: int
    latency_ms: float | str = ""
    latency_ms_low: float | str = ""
    latency_ms_high: float | str = ""
    samples: int = 0
    speedup_vs_untuned: float | str = ""
    speedup_vs_onnxruntime: float | str = ""
    share_of_ansor_speedup: float | str = ""
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
    error: str = ""


COLUMNS = columns_of(MethodRow)


def fill_latencies(
    rows: list[MethodRow],
    samples: dict[str, list[float]],
    confidence: float,
    resamples: int,
    seed: int,
) -> None:
    """Fill in medians, intervals and ratios; methods without samples keep empty columns.

    Args:
        rows: One per method.
        samples: Method to latency samples in milliseconds.
        confidence: Of the bootstrap intervals.
        resamples: Bootstrap resamples.
        seed: Of the resampling.
    """
    medians: dict[str, float] = {}
    for row in rows:
        values = samples.get(row.method)
        if not values:
            continue
        low, high = bootstrap_median_interval(values, confidence, resamples, seed)
        medians[row.method] = median(values)
        row.latency_ms = round(medians[row.method], 6)
        row.latency_ms_low, row.latency_ms_high = round(low, 6), round(high, 6)
        row.samples = len(values)
    for row in rows:
        own = medians.get(row.method)
        if own is None:
            continue
        if "untuned" in medians:
            row.speedup_vs_untuned = round(medians["untuned"] / own, 4)
        if "onnxruntime" in medians:
            row.speedup_vs_onnxruntime = round(medians["onnxruntime"] / own, 4)
        if "ansor" in medians:
            # Speedups over the same untuned latency: it cancels.
            row.share_of_ansor_speedup = round(medians["ansor"] / own, 4)


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
