"""What more trials buy: each target's latency by trial count, method by method."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rivulet import methods
from rivulet.benchmark.table import MethodRow
from rivulet.paths import POOL
from rivulet.report.plots import Swept, sweep_chart
from rivulet.report.wording import latency_text


@dataclass(frozen=True)
class SweepRow:
    """One method of a target: its latency at each trial count, in words."""

    label: str
    cells: list[str]


def sweeps(rows: Sequence[MethodRow]) -> list[dict[str, Any]]:
    """One entry for each target on each hardware with several trial counts.

    Of the transfers the pool's stand for all, or without a pool the source's that is best at the
    largest trial count.

    Args:
        rows: The benchmark table.
    """
    found = []
    targets = sorted({(row.hardware, row.target) for row in rows})
    for number, (hardware, target) in enumerate(targets):
        here = [r for r in rows if (r.hardware, r.target) == (hardware, target)]
        counts = sorted({row.trials for row in here})
        if len(counts) < 2:
            continue
        lines = _lines(here)
        title = f"Latency of {target} by trials: {hardware}"
        found.append(
            {
                "title": f"{target}: {hardware}",
                "counts": counts,
                "rows": [
                    SweepRow(line.label, [_cell(line, count) for count in counts]) for line in lines
                ],
                "svg": Markup(sweep_chart(f"sweep{number}", title, lines)),
            }
        )
    return found


def _lines(rows: Sequence[MethodRow]) -> list[Swept]:
    lines = []
    for method in methods.logged():
        own = [row for row in rows if row.method == method.name and row.latency_ms is not None]
        label = method.title
        if method.moves and own:
            source, log = _speaking(own)
            own = [row for row in own if (row.source, row.log) == (source, log)]
            label = f"{label} from {source}, {log} log"
        points = [_point(count, own) for count in sorted({row.trials for row in own})]
        if points:
            lines.append(Swept(label, method.name, points))
    return lines


def _speaking(rows: Sequence[MethodRow]) -> tuple[str, str]:
    most = max(row.trials for row in rows)
    last = [row for row in rows if row.trials == most]
    pooled = [row for row in last if row.source == POOL]
    best = max(pooled or last, key=lambda row: row.share_of_ansor_speedup or 0.0)
    return best.source, best.log


def _point(count: int, rows: Sequence[MethodRow]) -> tuple[int, float, float, float]:
    """Trials, and the latency with its range; of several pair runs the median of all three."""
    own = [row for row in rows if row.trials == count]
    values = [(row.latency_ms or 0.0, *(row.interval or (0.0, 0.0))) for row in own]
    middle, low, high = (statistics.median(column) for column in zip(*values, strict=True))
    return count, middle, low, high


def _cell(line: Swept, count: int) -> str:
    for trials, *latency in line.points:
        if trials == count:
            middle, low, high = latency_text(*latency)
            return f"{middle} ({low}–{high})"
    return "–"
