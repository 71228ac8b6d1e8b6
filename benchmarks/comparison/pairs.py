"""The figures of `transfer.py`, read from the workflow's tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.table import MethodRow
from rivulet.methods import ANSOR, TRANSFER, UNTUNED, method_of
from rivulet.paths import BENCHMARK, OWN_LOG, PAIR, POOL, TRIALS, log_of
from rivulet.provenance import read_record
from rivulet.records.curve import Curve, read_curve
from rivulet.tables import read_table
from rivulet.transfer.correlation import Share, ranking_correlations

NEVER = "never"


@dataclass(frozen=True)
class Part:
    """A run of the workflow.

    Attributes:
        name: What it is called.
        models: Models of its config; a pool is all of them but the target.
        size: Height and width of the input.
        pairs: Pairs of source and target.
        pools: Targets of the pool.
        benchmarked: Whole models are timed; otherwise coverage alone is of interest.
    """

    name: str
    models: tuple[str, ...]
    size: int
    pairs: tuple[tuple[str, str], ...] = ()
    pools: tuple[str, ...] = ()
    benchmarked: bool = True


@dataclass(frozen=True)
class Coverage:
    """What part of a target a transfer serves."""

    name: str
    kernels: int
    covered: int
    flops: float
    slower_kernels: int
    put_back: int
    search_seconds: float
    seconds_from_start: float
    trials: int


@dataclass(frozen=True)
class TransferFigures:
    """One transfer beside its target's own Ansor search; latencies in milliseconds.

    Attributes:
        source: Model, or ``pool``.
        target: Model.
        coverage: Of its kernels.
        untuned: Latency without schedules.
        transfer: Latency with the transferred ones.
        ansor: Latency with Ansor's.
        share: Share of Ansor's speedup that the transfer reaches: the ratio of the two.
        low: Lower end of the interval of `share`.
        high: Upper end.
        ansor_seconds: Search time of Ansor.
        match_seconds: When Ansor's log had the transfer's latency; infinite for never.
        at_equal_time: Share by the logs, when Ansor gets the transfer's time only; None while
            Ansor has no schedule of every kernel then.
        warm: What `warm_start.py` found; None for pairs.
        ansor_trials: Trials of Ansor.
        ansor_sum: Sum of the kernels' latencies in Ansor's log.
        curve: The transfer's sum of the same over its time.
        ansor_curve: Ansor's.
    """

    source: str
    target: str
    coverage: Coverage
    untuned: float
    transfer: float
    ansor: float
    share: float
    low: float
    high: float
    ansor_seconds: float
    match_seconds: float
    at_equal_time: float | None
    warm: dict[str, Any] | None
    ansor_trials: int
    ansor_sum: float
    curve: Curve
    ansor_curve: Curve

    @property
    def time_to_match(self) -> float:
        """Ansor's time to the transfer's latency over the transfer's time.

        Where Ansor never got there, its whole time: the ratio is at least that.
        """
        match = self.match_seconds if math.isfinite(self.match_seconds) else self.ansor_seconds
        return match / self.coverage.search_seconds

    @property
    def first_look(self) -> tuple[float, float, float] | None:
        """When the log first had a schedule of every kernel: share, seconds, Ansor's over these.

        All by the logs. None where that never came.
        """
        if not self.curve.moments:
            return None
        first = self.curve.moments[0]
        match = self.ansor_curve.reach(first.model_ms)
        seconds = match.seconds if match else self.ansor_seconds
        return self.ansor_sum / first.model_ms, first.seconds, seconds / first.seconds

    @property
    def seconds_to_four_fifths(self) -> float | None:
        """When the transfer's log had 80 % of Ansor's speedup; None for never."""
        reached = self.curve.reach(self.ansor_sum / 0.8)
        return reached.seconds if reached else None

    @staticmethod
    def summary(
        figures: Sequence[TransferFigures], coverage: Sequence[Coverage], ranking: Path
    ) -> dict[str, Any]:
        """The last line's figures; None for what was not run."""
        pairs = [f for f in figures if f.source not in ("pool", "resnet18")]
        pools = [f for f in figures if f.source == "pool"]
        first = next((f for f in figures if f.source == "resnet18"), None)
        six = [f.coverage for f in pairs]
        warm = [f.warm for f in pools if f.warm is not None]
        reached = [w["as_good_after"] for w in warm]
        return {
            "flops_covered_min": _least(c.flops for c in six),
            "kernels_covered_min": _least(c.covered / c.kernels for c in six),
            "flops_covered_other": {
                c.name: round(c.flops, 4) for c in coverage if c not in six
            },
            "share_resnet18_resnet50": round(first.share, 4) if first else None,
            "share_mean": _mean(f.share for f in pairs),
            "pool_share": _mean(f.share for f in pools),
            "pair_seconds": round(first.coverage.seconds_from_start, 2) if first else None,
            **_time_to_share(first),
            "worse_than_untuned": (
                sum(f.transfer > f.untuned for f in figures) if figures else None
            ),
            "kernels_slower_than_default": (
                sum(c.slower_kernels for c in coverage) if coverage else None
            ),
            "ansor_time_to_match_ratio": _geometric(f.time_to_match for f in pairs),
            "first_look_time_to_match_ratio": _geometric(
                f.first_look[2] for f in pairs if f.first_look
            ),
            # As slow as the slowest of them; null where one never got there.
            "warm_trials_ratio": (
                round(max(r / w["cold_trials"] for r, w in zip(reached, warm, strict=True)), 4)
                if warm and None not in reached else None
            ),
            "ranking_correlation": ranking_correlations(
                ranking, [(f.source, f.target, Share(f.share, f.low, f.high)) for f in figures]
            ),
        }  # fmt: skip


def read_figures(
    part: Part, results: Path, trials: int, warm: dict[str, dict[str, Any]]
) -> tuple[list[TransferFigures], list[Coverage]]:
    """Figures of a part that the workflow has run.

    Args:
        part: The part.
        results: ``results/{hardware}`` of the run.
        trials: Trials of each log.
        warm: What `warm_start.py` found for each target of a pool.
    """
    figures, covered = [], []
    for source, target in [*part.pairs, *((POOL, target) for target in part.pools)]:
        name = PAIR.at(source=source, target=target)
        one = _coverage(name, _transfer(results, trials, source, target))
        covered.append(one)
        if part.benchmarked:
            known = warm.get(target) if source == POOL else None
            figures.append(_figures(source, target, one, results, trials, known))
    return figures, covered


def lines(figures: Sequence[TransferFigures], coverage: Sequence[Coverage]) -> list[str]:
    """The table."""
    head = (
        "transfer", "kernels", "FLOPs", "untuned ms", "ours ms", "Ansor ms", "of Ansor (interval)",
        "search s", "from start", "Ansor s", "Ansor matches", "first look", "at equal time",
        "warm start / cold search",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [head]
    shown = {f.coverage.name for f in figures}
    for f in figures:
        c = f.coverage
        match = f"{f.match_seconds:.0f} s" if math.isfinite(f.match_seconds) else NEVER
        rows.append((
            c.name, f"{c.covered}/{c.kernels}", f"{c.flops:.1%}", f"{f.untuned:.1f}",
            f"{f.transfer:.3f}", f"{f.ansor:.3f}", f"{f.share:.1%} ({f.low:.1%}-{f.high:.1%})",
            f"{c.search_seconds:.1f}", f"{c.seconds_from_start:.1f}", f"{f.ansor_seconds:.0f}",
            f"{match}, {'>' if match == NEVER else ''}{f.time_to_match:.1f}x",
            "-" if not f.first_look else "{:.0%} in {:.1f} s, {:.1f}x".format(*f.first_look),
            "-" if f.at_equal_time is None else f"{f.at_equal_time:.2f}x",
            _warm_text(f.warm),
        ))  # fmt: skip
    for c in coverage:
        if c.name not in shown:
            rows.append((
                c.name, f"{c.covered}/{c.kernels}", f"{c.flops:.1%}", "", "", "", "",
                f"{c.search_seconds:.1f}", f"{c.seconds_from_start:.1f}", "", "", "", "", "",
            ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _warm_text(warm: dict[str, Any] | None) -> str:
    if warm is None:
        return ""
    last = warm["checkpoints"][-1]
    end = "{ratio:.3f} ({low:.3f}-{high:.3f}) after {trials}".format(**last)
    reached = warm["as_good_after"]
    return f"as good after {reached or NEVER} of {warm['cold_trials']}; {end}"


def _coverage(name: str, folder: Path) -> Coverage:
    facts = read_record(folder / "log.json").facts
    with (folder / "candidates.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    defaults = {r["kernel"]: r["median_us"] for r in rows if r["kind"] == "default"}
    chosen = {r["kernel"]: r["median_us"] for r in rows if r["chosen"] == "yes"}
    slower = sum(
        bool(defaults[kernel]) and float(us) > float(defaults[kernel])
        for kernel, us in chosen.items()
        if us
    )
    return Coverage(
        name, facts["kernels_total"], facts["kernels_covered"], facts["flops_covered"], slower,
        len(facts["put_back"]), facts["search_seconds"], facts["seconds_from_start"],
        facts["trials_measured"],
    )  # fmt: skip


def _transfer(results: Path, trials: int, source: str, target: str) -> Path:
    log = log_of(method_of(TRANSFER)).at(log_kind=ANSOR, trials=trials)
    return log.below(results.parent, hardware=results.name, source=source, target=target)


def _figures(
    source: str,
    target: str,
    coverage: Coverage,
    results: Path,
    trials: int,
    warm: dict[str, Any] | None,
) -> TransferFigures:
    run = {"hardware": results.name, "trials": trials}
    pair = {**run, "log_kind": ANSOR, "source": source, "target": target}
    table = (BENCHMARK + ".csv").below(results.parent, **pair)
    own = OWN_LOG.below(results.parent, own_log=ANSOR, model=target, **run)
    rows = {row.method: row for row in read_table(MethodRow, table)}
    share, low, high = (
        getattr(rows[TRANSFER], f"share_of_ansor_speedup{end}") for end in ("", "_low", "_high")
    )
    transfer, ansor = rows[TRANSFER], rows[ANSOR]
    equal = transfer.ansor_sum_ms_at_equal_time
    return TransferFigures(
        source, target, coverage,
        *(rows[m].latency_ms for m in (UNTUNED, TRANSFER, ANSOR)),
        share, low, high,
        ansor.search_seconds,
        transfer.ansor_seconds_to_match,
        equal / transfer.kernel_sum_ms if equal else None,
        warm, trials, ansor.kernel_sum_ms,
        read_curve(_transfer(results, trials, source, target) / TRIALS),
        read_curve(own / TRIALS),
    )  # fmt: skip


def _time_to_share(first: TransferFigures | None) -> dict[str, float | None]:
    seconds = first.seconds_to_four_fifths if first else None
    known = first is not None and seconds is not None
    return {
        "seconds_to_80_percent": seconds,
        "search_time_share": round(seconds / first.ansor_seconds, 4) if known else None,
    }


def _least(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(min(found), 4) if found else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(float(np.mean(found)), 4) if found else None


def _geometric(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(float(np.exp(np.mean(np.log(found)))), 3) if found else None
