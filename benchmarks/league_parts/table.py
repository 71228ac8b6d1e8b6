"""A league's figures as CSV, as lines on the terminal, and as a block of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league_parts.figures import Standing
from league_parts.settings import PEERS
from rivulet.measure.ratios import Ratio
from rivulet.methods import ANSOR, DROPLET, method_of
from rivulet.tables import write_table

BEGIN, END = "<!-- league: begin -->", "<!-- league: end -->"
_METHODS = (ANSOR, DROPLET, *PEERS)


@dataclass(frozen=True)
class LeagueRow:
    """One method of one model in the league's CSV.

    Attributes:
        model: The model.
        method: What ran it.
        latency_ms: Its latency; empty where it has none.
        latency_ms_low: Lower end of the interval.
        latency_ms_high: Upper end.
        ours_over_it: Our latency over its own, for other runtimes; below 1 we are faster.
        ours_over_it_low: Lower end of the interval.
        ours_over_it_high: Upper end.
        ours: Which of our methods stands for us.
        sum_to_model: Latency over the sum of the kernels' alone, in the row of ours.
        transposes_inside: Layout transposes between kernels, in the row of ours.
        weight_only_kernels: Kernels that compute from weights alone, in the row of ours.
        disturbed: Why the figures are to be read with care.
        error: Why there is no latency.
    """

    model: str
    method: str
    latency_ms: float | str = ""
    latency_ms_low: float | str = ""
    latency_ms_high: float | str = ""
    ours_over_it: float | str = ""
    ours_over_it_low: float | str = ""
    ours_over_it_high: float | str = ""
    ours: str = ""
    sum_to_model: float | str = ""
    transposes_inside: int | str = ""
    weight_only_kernels: int | str = ""
    disturbed: str = ""
    error: str = ""


def write_csv(path: Path, standings: Sequence[Standing], failed: Mapping[str, str]) -> None:
    """Write all rows: one for each method of each model, and one for each model without any."""
    rows = [_row(one, method) for one in standings for method in _METHODS]
    rows += [LeagueRow(name, DROPLET, error=reason) for name, reason in failed.items()]
    write_table(LeagueRow, rows, path)


def _row(one: Standing, method: str) -> LeagueRow:
    found: dict[str, Any] = {}
    if latency := one.latencies.get(method):
        for ending, value in (("", latency.value), ("_low", latency.low), ("_high", latency.high)):
            found[f"latency_ms{ending}"] = round(value, 5)
    if ratio := one.ratios.get(method):
        for ending, value in (("", ratio.value), ("_low", ratio.low), ("_high", ratio.high)):
            found[f"ours_over_it{ending}"] = round(value, 4)
    if method == one.ours:
        if one.sum_to_model is not None:
            found["sum_to_model"] = round(one.sum_to_model, 4)
        found |= one.graph
    return LeagueRow(
        one.model, method, **found, ours=one.ours, disturbed="; ".join(one.complaints),
        error=one.failures.get(method, ""),
    )  # fmt: skip


def terminal_lines(standings: Sequence[Standing]) -> list[str]:
    """The table for the terminal."""
    head = f"{'model':<20}" + "".join(f"{method_of(method).title:>15}" for method in _METHODS)
    lines = ["", f"{head}{'ours / ORT':>24}{'ours / best':>13}{'model / sum':>13}"]
    for one in standings:
        cells = "".join(
            f"{one.latencies[m].value:>12.3f} ms" if m in one.latencies else f"{'-':>15}"
            for m in _METHODS
        )
        best = f"{one.vs_best_peer.value:.3f}" if one.vs_best_peer else "-"
        total = f"{one.sum_to_model:.3f}" if one.sum_to_model else "-"
        lines.append(f"{one.model:<20}{cells}{_interval(one.vs_ort):>24}{best:>13}{total:>13}")
    return lines


def _interval(ratio: Ratio | None) -> str:
    return f"{ratio.value:.3f} ({ratio.low:.3f}-{ratio.high:.3f})" if ratio else "-"


def markdown(
    standings: Sequence[Standing],
    failed: Mapping[str, str],
    facts: Mapping[str, str],
    last: Mapping[str, Any],
    chart: str,
) -> str:
    """The block of a page, between its marks.

    Args:
        standings: Of the models that were measured.
        failed: Model to the reason why there is nothing of it.
        facts: What it was measured with, in words.
        last: The figures over all models.
        chart: The figure's file, beside the page.
    """
    lines = [
        BEGIN, "", *(f"- {name}: {value}" for name, value in facts.items()), "",
        "| model | " + " | ".join(f"{method_of(m).title}, ms" for m in _METHODS)
        + " | ours / ONNX Runtime | ours / best peer | model / sum of kernels |",
        "|---" * (len(_METHODS) + 4) + "|",
    ]  # fmt: skip
    for one in standings:
        cells = [f"{one.latencies[m].value:.3f}" if m in one.latencies else "–" for m in _METHODS]
        best = one.vs_best_peer
        cells += [
            _interval(one.vs_ort).replace("-", "–"),
            f"{best.value:.3f} ({method_of(one.best_peer).title})" if best else "–",
            f"{one.sum_to_model:.3f}" if one.sum_to_model else "–",
        ]
        lines.append(f"| {one.model} | " + " | ".join(cells) + " |")
    lines += ["", f"![Our latency over that of each of the others]({chart})"]
    lines += ["", f"In all: `{json.dumps(last)}`."]
    told = [
        (one.model, method_of(m).title, why) for one in standings for m, why in one.failures.items()
    ]
    told += [(name, "", why) for name, why in failed.items()]
    if told:
        lines += ["", "| model | method | why not |", "|---|---|---|"]
        lines += [f"| {model} | {method} | {why} |" for model, method, why in told]
    disturbed = [one for one in standings if one.complaints]
    lines += [f"\n{one.model}: {'; '.join(one.complaints)}." for one in disturbed]
    return "\n".join([*lines, "", END])
