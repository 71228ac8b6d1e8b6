"""The figures of `droplet.py`, from its runs and the workflow's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparison.figures import geometric_mean
from rivulet.droplet.study import EffectRow, GainRow
from rivulet.measure.ratios import KernelSamples, latency_ratio
from rivulet.measure.statistics import median, significantly_faster
from rivulet.tables import read_table

_SIGNIFICANCE = 0.05
_CONFIDENCE, _RESAMPLES = 0.95, 2000


def upstream_figures(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Both sides' winners, kernel by kernel and summed.

    A kernel of ours counts as slower where a one-sided Mann-Whitney U test says so at its share of
    the 5 % level: of many kernels without a difference some look as if they had one.
    """
    level = _SIGNIFICANCE / max(1, len(ours["kernels"]))
    rows = []
    for kernel in ours["kernels"]:
        samples = kernel["samples"]
        rows.append(
            {
                "task": kernel["task"],
                **{f"{name}_us": median(values) * 1e6 for name, values in samples.items()},
                "ratio": median(samples["upstream"]) / median(samples["ours"]),
                "slower": significantly_faster(samples["upstream"], samples["ours"], level),
            }
        )
    whole = {
        name: asdict(
            latency_ratio(
                [
                    KernelSamples(k["weight"], k["samples"][name], k["samples"]["ours"])
                    for k in ours["kernels"]
                ],
                _CONFIDENCE, _RESAMPLES, 0,
            )
        )
        for name in ("upstream", "start")
    }  # fmt: skip
    return {
        "kernels": rows,
        "geomean": geometric_mean([row["ratio"] for row in rows]),
        "slower": sum(row["slower"] for row in rows),
        "model_vs_upstream": whole["upstream"],
        "model_vs_start": whole["start"],
        "trials": {"upstream": theirs["trials"], "ours": ours["trials"]},
        "seconds": {"upstream": theirs["seconds"], "ours": ours["seconds"]},
    }


def upstream_lines(figures: dict[str, Any]) -> Iterator[str]:
    """The comparison with upstream as lines."""
    yield ""
    yield "Beside TVM's own droplet (PostOpt), the same log; both winners timed in turns"
    yield f"  {'kernel':<44}{'log us':>10}{'upstream':>10}{'ours':>10}{'ratio':>8}"
    for row in figures["kernels"]:
        mark = "  slower" if row["slower"] else ""
        yield (
            f"  {row['task']:<44}{row['start_us']:>10.1f}{row['upstream_us']:>10.1f}"
            f"{row['ours_us']:>10.1f}{row['ratio']:>8.3f}{mark}"
        )
    trials, seconds = figures["trials"], figures["seconds"]
    yield (
        f"  trials {trials['upstream']} and {trials['ours']}, seconds {seconds['upstream']:.0f} "
        f"and {seconds['ours']:.0f}; geometric mean {figures['geomean']:.3f}, "
        f"model {_ratio(figures['model_vs_upstream'])}, "
        f"against the log {_ratio(figures['model_vs_start'])}"
    )


def read_gain_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``droplet_gain.csv``."""
    return [asdict(row) for row in read_table(GainRow, path)]


def read_effect_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``droplet_effect.csv``."""
    return [asdict(row) for row in read_table(EffectRow, path)]


def gain_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The gains as lines."""
    yield ""
    yield "Latency without droplet over that with it, kernels timed in turns; above 1 it is faster"
    yield (
        f"  {'model':<14}{'Ansor':>6}{'droplet':>8}  {'over the log':<22}"
        f"{'over as many trials':<22}{'over as many seconds':<30}faster/slower kernels"
    )
    for row in rows:
        seconds = _cell(row, "vs_equal_seconds")
        if row["equal_seconds_trials"]:
            seconds += f" @{row['equal_seconds_trials']}"
        yield (
            f"  {row['model']:<14}{row['ansor_trials']:>6}{row['droplet_trials']:>8}  "
            f"{_cell(row, 'gain'):<22}{_cell(row, 'vs_equal_trials'):<22}{seconds:<30}"
            f"{row['kernels_faster']}/{row['kernels_slower']} of {row['kernels']}"
        )


def effect_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The pairs as lines."""
    yield ""
    yield "Pairs: latency without droplet over that with it, by repeated processes"
    for row in rows:
        yield (
            f"  {row['source'] + ' -> ' + row['target']:<26}{row['comparison']:<17}"
            f"{_cell(row, 'effect'):<22}{row['verdict']:<22}{row['reason']}"
        )


def summary(figures: dict[str, Any], trials: int) -> dict[str, Any]:
    """The last line: a figure of a section that was not run is null."""
    rows = [*figures.get("gain", ()), *figures.get("pairs", ())]
    whole = _last(rows)
    bar = [row for row in _last(figures.get("gain", ())) if row["ansor_trials"] == trials]
    upstream = figures.get("upstream", {})
    slower = sum(row["kernels_slower"] for row in whole)
    return {
        "bowl_found_min": min((one["found"] for one in figures.get("bowl", ())), default=None),
        "vs_upstream_geomean": _rounded(upstream.get("geomean")),
        "vs_upstream_slower": upstream.get("slower"),
        "gain_over_log": _mean(bar, "gain"),
        "gains_over_log": {f"{r['model']}": _rounded(r["gain"]) for r in bar},
        "vs_more_search": _mean(bar, "vs_equal_trials"),
        "vs_more_search_seconds": _mean(bar, "vs_equal_seconds"),
        "worse_kernels": slower if rows else None,
    }


def _last(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with all of droplet's budget."""
    most: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["model"], row["ansor_trials"])
        if key not in most or row["droplet_trials"] > most[key]["droplet_trials"]:
            most[key] = row
    return list(most.values())


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return _rounded(geometric_mean(values)) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cell(row: dict[str, Any], key: str) -> str:
    if row[key] is None:
        return "-"
    return f"{row[key]:.3f} ({row[f'{key}_low']:.3f}-{row[f'{key}_high']:.3f})"


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['value']:.3f} ({ratio['low']:.3f}-{ratio['high']:.3f})"
