"""What the report reads: tables and records as typed rows, and the numbers that follow at once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rivulet.errors import UserError
from rivulet.kernels.store import StoredKernel
from rivulet.methods import TRANSFER
from rivulet.paths import KERNELS, parse
from rivulet.provenance import Record, read_record
from rivulet.records.curve import Curve, read_curve
from rivulet.report.grouping import grouped
from rivulet.tables import read_table
from rivulet.transfer.table import CandidateRow, covered_kernels


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
    rows = grouped(read_table(CandidateRow, path), lambda row: row.kernel)
    kernels = [_outcome(own) for _, own in rows]
    return TransferTable(path, setting, found.source, found.model, kernels)


def read_kernels(path: Path) -> KernelTable:
    """Read a table of kernels; its folders say on which hardware.

    Raises:
        UserError: It is not readable as such, or lies elsewhere.
    """
    found = (KERNELS + ".csv").parse(path)
    if found is None:
        raise UserError(f"{path}: expected is a table .../kernels/{{model}}.csv of a hardware")
    rows = read_table(StoredKernel, path)
    return KernelTable(
        path=path,
        hardware=found["hardware"],
        model=found["model"],
        kernels=len(rows),
        classes=len({row.class_ for row in rows}),
        runs=sum(row.weight for row in rows),
        flops=sum(row.flops * row.weight for row in rows),
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


def _outcome(rows: list[CandidateRow]) -> KernelOutcome:
    first = rows[0]
    default = next((row for row in rows if row.kind == "default"), None)
    tried = [row for row in rows if row.kind not in ("default", "")]
    chosen = next((row for row in rows if row.chosen == "yes"), None)
    reasons = Counter(row.reason for row in rows if row.kind != "default" and row.reason)
    before, after = (float(row.median_us or 0) if row else 0.0 for row in (default, chosen))
    return KernelOutcome(
        name=first.kernel,
        kernel_class=first.kernel_class,
        weight=first.weight,
        flops=first.flops,
        tried=len(tried),
        covered=bool(covered_kernels([vars(row) for row in tried])),
        adopted=chosen is not None and chosen.kind != "default",
        speedup=before / after if before and after else None,
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
