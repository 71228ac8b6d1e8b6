"""What the report reads: tables and records as typed rows, and the numbers that follow at once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rivulet.errors import UserError
from rivulet.methods import TRANSFER
from rivulet.paths import KERNELS, parse
from rivulet.provenance import Record, read_record
from rivulet.records.curve import Curve, read_curve
from rivulet.report.reading import optional_number, read_rows, read_table, unreadable
from rivulet.transfer.table import covered_kernels


@dataclass(frozen=True)
class ReportInputs:
    """Files and facts that a report is made of.

    Attributes:
        benchmarks: Table with one row per hardware, target, source, method, log and trials.
        pair_records: The record beside the table of each benchmarked pair.
        candidates: ``.../transfer/{log}-{trials}/{source}-to-{target}/candidates.csv`` files.
        kernels: ``.../{hardware}/kernels/{model}.csv`` files.
        histories: ``trials.csv`` of the models' own logs, of transfers and of droplet on these.
        rankings: ``.../{hardware}/transfer/ranking.csv`` files.
        config_json: The resolved configuration as JSON.
        commit: Git commit of the workflow, or ``unknown``.
        gains: ``.../{hardware}/droplet_gain.csv`` files.
        effects: ``.../{hardware}/droplet_effect.csv`` files.
        kernel_tables: ``.../benchmarks/{log}-{trials}/kernels/{source}-to-{target}.csv`` files.
        rooflines: ``.../{hardware}/roofline.csv`` files.
        missing: Artefacts that an unfinished run has yet to make.
        stale: Artefacts that are shown although they are out of date, and why they are.
    """

    benchmarks: Path
    pair_records: list[Path]
    candidates: list[Path]
    kernels: list[Path]
    histories: list[Path]
    rankings: list[Path]
    config_json: str
    commit: str
    gains: list[Path] = field(default_factory=list)
    effects: list[Path] = field(default_factory=list)
    kernel_tables: list[Path] = field(default_factory=list)
    rooflines: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    stale: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Setting:
    """What has to agree before transfers stand side by side in one table or figure."""

    hardware: str
    trials: int
    log: str = ""

    def __str__(self) -> str:
        """As headings name it."""
        log = f", {self.log} log" if self.log else ""
        return f"{self.hardware}{log}, {self.trials} trials"


@dataclass(frozen=True)
class BenchmarkRow:
    """A row of the benchmark table; numbers that it leaves empty are None."""

    hardware: str
    target: str
    source: str
    method: str
    log: str
    trials: int
    latency_ms: float | None
    latency_ms_low: float | None
    latency_ms_high: float | None
    processes: float | None
    samples: float | None
    speedup_vs_untuned: float | None
    speedup_vs_untuned_low: float | None
    speedup_vs_untuned_high: float | None
    speedup_vs_onnxruntime: float | None
    speedup_vs_onnxruntime_low: float | None
    speedup_vs_onnxruntime_high: float | None
    share_of_ansor_speedup: float | None
    share_of_ansor_speedup_low: float | None
    share_of_ansor_speedup_high: float | None
    search_seconds: float | None
    kernel_sum_ms: float | None
    ansor_sum_ms_at_equal_time: float | None
    ansor_seconds_to_match: float | None
    source_search_seconds: float | None
    trials_measured: float | None
    kernels_total: float | None
    kernels_covered: float | None
    flops_covered: float | None
    max_rel_error: float | None
    fingerprint: str
    tvm_version: str
    disturbed: str
    error: str

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


@dataclass(frozen=True)
class History:
    """How the kernels' latency fell over the time of a search.

    Attributes:
        path: Its table.
        hardware: Where it ran.
        trials: Trial count of the log, or of the log that a transfer started from.
        method: The method.
        source: Source of a transfer; otherwise empty.
        log: Kind of the log that a transfer started from; otherwise empty.
        target: The model.
        curve: Sum of the kernels' latencies over measuring time.
    """

    path: Path
    hardware: str
    trials: int
    method: str
    source: str
    log: str
    target: str
    curve: Curve


@dataclass(frozen=True)
class KernelOutcome:
    """What transfer did for one kernel of the target.

    Attributes:
        name: Task name.
        kernel_class: Its class.
        weight: How often the model runs it.
        flops: Floating-point operations of one run.
        tried: Transferred candidates that were considered.
        covered: Whether one of them ran, and was not found to be wrong.
        adopted: Whether the kernel got one.
        speedup: Default's latency over that of the schedule the kernel got; None if unknown.
        reasons: Why candidates fell through, the most frequent first.
    """

    name: str
    kernel_class: str
    weight: float
    flops: float
    tried: int
    covered: bool
    adopted: bool
    speedup: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TransferTable:
    """One candidates table, per kernel."""

    path: Path
    setting: Setting
    source: str
    target: str
    kernels: list[KernelOutcome]

    @property
    def flops_covered(self) -> float | None:
        """Share of the model's FLOPs, weights counted, in covered kernels."""
        return flops_share(self.kernels, [k for k in self.kernels if k.covered])


@dataclass(frozen=True)
class KernelTable:
    """The kernels of one model on one hardware."""

    path: Path
    hardware: str
    model: str
    kernels: int
    classes: int
    runs: float
    flops: float


def flops_share(kernels: list[KernelOutcome], part: list[KernelOutcome]) -> float | None:
    """Share of the FLOPs of all kernels that a part of them has; None without FLOPs."""
    total = sum(k.flops * k.weight for k in kernels)
    return sum(k.flops * k.weight for k in part) / total if total else None


def read_benchmarks(path: Path) -> list[BenchmarkRow]:
    """Read the benchmark table.

    Raises:
        UserError: It is not readable as such.
    """
    return read_rows(path, BenchmarkRow)


def read_transfer(path: Path) -> TransferTable:
    """Read a candidates table; its folders say which pair it is about.

    Raises:
        UserError: It is not readable as such, or lies elsewhere.
    """
    found = parse(path)
    if found is None or found.kind != "log" or found.method != TRANSFER:
        raise UserError(
            f"{path}: the folders do not name a pair; expected "
            ".../transfer/{log}-{trials}/{source}-to-{target}/candidates.csv"
        )
    setting = Setting(found.hardware, found.trials, found.log_kind)
    grouped: dict[str, list[dict[str, str]]] = {}
    for row in read_table(path, ["kernel", "kernel_class", "kind", "correct", "chosen", "reason"]):
        grouped.setdefault(row["kernel"], []).append(row)
    try:
        kernels = [_outcome(rows) for rows in grouped.values()]
    except (KeyError, ValueError) as error:
        raise unreadable(path, error) from error
    return TransferTable(path, setting, found.source, found.model, kernels)


def read_kernels(path: Path) -> KernelTable:
    """Read a table of kernels; its folders say on which hardware.

    Raises:
        UserError: It is not readable as such, or lies elsewhere.
    """
    found = (KERNELS + ".csv").parse(path)
    if found is None:
        raise UserError(f"{path}: expected is a table .../kernels/{{model}}.csv of a hardware")
    rows = read_table(path, ["class", "flops", "weight"])
    try:
        runs = [float(r["weight"]) for r in rows]
        flops = [float(r["flops"]) for r in rows]
    except ValueError as error:
        raise unreadable(path, error) from error
    return KernelTable(
        path=path,
        hardware=found["hardware"],
        model=found["model"],
        kernels=len(rows),
        classes=len({r["class"] for r in rows}),
        runs=sum(runs),
        flops=sum(f * n for f, n in zip(flops, runs, strict=True)),
    )


def read_history(path: Path) -> History:
    """Read the trials of a log or a transfer; its folders say of what.

    Raises:
        UserError: It is not readable as such, or lies elsewhere.
    """
    found = parse(path)
    if found is None or found.kind != "log":
        raise UserError(
            f"{path}: the folders do not say of what it is; expected "
            ".../logs/{log}-{trials}/{model}/trials.csv, or "
            ".../transfer/{log}-{trials}/{source}-to-{target}/trials.csv, "
            "or the latter below transfer-droplet/"
        )
    return History(
        path=path,
        hardware=found.hardware,
        trials=found.trials,
        method=found.method,
        source=found.source,
        log=found.log_kind,
        target=found.model,
        curve=read_curve(path),
    )


def read_pair_records(paths: list[Path]) -> dict[Path, Record]:
    """Read the records of benchmarked pairs.

    Raises:
        UserError: One is not readable.
    """
    return {path: read_record(path) for path in paths}


def _outcome(rows: list[dict[str, str]]) -> KernelOutcome:
    default = next((r for r in rows if r["kind"] == "default"), None)
    tried = [r for r in rows if r["kind"] not in ("default", "")]
    chosen = next((r for r in rows if r["chosen"] == "yes"), None)
    reasons = Counter(r["reason"] for r in rows if r["kind"] != "default" and r["reason"])
    speedup = None
    if default and chosen:
        before, after = optional_number(default["median_us"]), optional_number(chosen["median_us"])
        if before and after:
            speedup = before / after
    return KernelOutcome(
        name=rows[0]["kernel"],
        kernel_class=rows[0]["kernel_class"],
        weight=float(rows[0]["weight"]),
        flops=float(rows[0]["flops"]),
        tried=len(tried),
        covered=bool(covered_kernels(tried)),
        adopted=chosen is not None and chosen["kind"] != "default",
        speedup=speedup,
        reasons=tuple(
            text if count == 1 else f"{text} ({count} times)"
            for text, count in reasons.most_common()
        ),
    )


def confidence_of(config_json: str) -> float:
    """Confidence of the intervals as configured; 0.95 where the configuration does not say."""
    try:
        return float(json.loads(config_json)["benchmark"]["confidence"])
    except (ValueError, KeyError, TypeError):
        return 0.95
