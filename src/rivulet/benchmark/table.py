"""Rows of the benchmark tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rivulet.benchmark.estimates import Groups, Sampling, estimate_latency, estimate_ratio
from rivulet.benchmark.repeat import Repeated
from rivulet.tables import NEVER, columns_of, write_table, written


def _or_never(seconds: float) -> str:
    return NEVER if math.isinf(seconds) else str(seconds)


@dataclass
class MethodRow:
    """One method on one target, as every benchmark CSV has it.

    A number that it lacks is None, an infinite time is one that is never reached.

    Attributes:
        hardware: Where it was timed.
        target: The model.
        source: Source of the pair's transfer.
        method: Whose schedules the model was compiled with, or the other runtime.
        log: Kind of the log that the pair's transfer takes schedules from.
        trials: Trial count of that log.
        latency_ms: Latency of one inference: geometric mean of the processes' medians.
        latency_ms_low: Lower end of its interval.
        latency_ms_high: Upper end.
        processes: Processes behind it.
        samples: Samples behind it; every one is in ``samples/`` beside the pair's table.
        speedup_vs_untuned: The latency of ``untuned`` over this one's, from the same processes.
        speedup_vs_untuned_low: Lower end of its interval: where it leaves out 1, the two differ.
        speedup_vs_untuned_high: Upper end.
        speedup_vs_onnxruntime: The same of ``onnxruntime``.
        speedup_vs_onnxruntime_low: Lower end of its interval.
        speedup_vs_onnxruntime_high: Upper end.
        share_of_ansor_speedup: Speedup over ``untuned`` as a share of ``ansor``'s on the same
            target and trial count.
        share_of_ansor_speedup_low: Lower end of its interval.
        share_of_ansor_speedup_high: Upper end.
        search_seconds: Wall time of the job that made the schedules, first proposal to last
            measurement, without interruptions; a droplet search's or transfer's own, on top of the
            log it starts from.
        kernel_sum_ms: Sum of the kernels' latencies by the method's log.
        ansor_sum_ms_at_equal_time: The same of Ansor's log after as much search; empty while a
            kernel had no schedule then.
        ansor_seconds_to_match: Search time after which Ansor's log had this sum, or ``never``.
        source_search_seconds: Search time of the sources' logs, which a transfer's own leaves out;
            the report shares it among the targets served.
        trials_measured: Candidates measured in that job.
        kernels_total: Kernels of the model.
        kernels_covered: Those with a schedule in the log; for ``transfer`` those on which a
            transferred candidate ran with correct output.
        flops_covered: The covered kernels' share of the model's FLOPs.
        max_rel_error: Largest error against ONNX Runtime on the same inputs, relative to the
            output's largest magnitude.
        fingerprint: Of the device.
        tvm_version: The compiler's.
        disturbed: What else kept the machine busy, if anything; read such a table with care.
        error: Why a method has no latency: it does not run, or its output is wrong, with the
            kernels at fault.
    """

    hardware: str
    target: str
    source: str
    method: str
    log: str
    trials: int
    latency_ms: float | None = None
    latency_ms_low: float | None = None
    latency_ms_high: float | None = None
    processes: int = 0
    samples: int = 0
    speedup_vs_untuned: float | None = None
    speedup_vs_untuned_low: float | None = None
    speedup_vs_untuned_high: float | None = None
    speedup_vs_onnxruntime: float | None = None
    speedup_vs_onnxruntime_low: float | None = None
    speedup_vs_onnxruntime_high: float | None = None
    share_of_ansor_speedup: float | None = None
    share_of_ansor_speedup_low: float | None = None
    share_of_ansor_speedup_high: float | None = None
    search_seconds: float | None = None
    kernel_sum_ms: float | None = None
    ansor_sum_ms_at_equal_time: float | None = None
    ansor_seconds_to_match: float | None = written(_or_never)
    source_search_seconds: float | None = None
    trials_measured: int | None = None
    kernels_total: int | None = None
    kernels_covered: int | None = None
    flops_covered: float | None = None
    max_rel_error: float | None = written("{:.3e}".format)
    fingerprint: str = ""
    tvm_version: str = ""
    disturbed: str = ""
    error: str = ""

    @property
    def pair(self) -> tuple[str, str, str, str, int]:
        """Names the process that timed this row: rows with the same one were interleaved."""
        return (self.hardware, self.target, self.source, self.log, self.trials)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Interval of the median latency."""
        if self.latency_ms is None:
            return None
        low, high = self.latency_ms_low, self.latency_ms_high
        return (self.latency_ms if low is None else low, self.latency_ms if high is None else high)


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
    """One sample of a benchmark: a method's latency in a round of a process.

    Attributes:
        process: Number of the process, from 1.
        used: ``no`` for a process that was set aside because the machine was slow.
        method: The method.
        sample: Number of the sample in its process, from 1.
        latency_ms: Latency of one inference.
    """

    process: int
    used: str
    method: str
    sample: int
    latency_ms: float


def sample_rows(found: Repeated) -> list[SampleRow]:
    """Every sample that was taken, by process, method and round; ``used`` is no where set aside."""
    used = found.used
    return [
        SampleRow(
            process=process,
            used="yes" if one in used else "no",
            method=method,
            sample=number,
            latency_ms=round(latency, 6),
        )
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
    whole = pd.concat(tables) if tables else pd.DataFrame(columns=list(columns_of(MethodRow)))
    order = ["hardware", "target", "log", "trials", "source"]
    whole = whole.sort_values(
        order, kind="stable", key=lambda c: c.astype(int) if c.name == "trials" else c
    )
    whole.to_csv(path, index=False)
    return len(whole)
