"""What the transfer from each source reaches on each target, as a map."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rivulet.benchmark.table import MethodRow
from rivulet.measure.ratios import SAME
from rivulet.methods import TRANSFER
from rivulet.report.data import ReportData
from rivulet.report.grouping import grouped
from rivulet.report.heat import heat_data
from rivulet.report.inputs import Setting
from rivulet.report.plots import Cell, heat_map
from rivulet.report.verdicts import OVER_ANSOR, verdict

TITLE = "Sources and targets"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    heat = heat_data([(row, verdict([row], OVER_ANSOR)) for row in data.rows], SAME)
    maps = [_map(i, group) for i, group in enumerate(_maps(data.rows).items())]
    return {"heat": heat, "maps": maps, "embedded": {"heat": heat}}


def _maps(rows: list[MethodRow]) -> dict[Setting, list[tuple[MethodRow, str]]]:
    """Transfers and how they compare with Ansor, by hardware, trials and log."""
    moved = [row for row in rows if row.method == TRANSFER]
    groups = grouped(moved, lambda r: Setting(r.hardware, r.trials, r.log))
    return {
        key: [(row, verdict([row], OVER_ANSOR)) for row in group]
        for key, group in sorted(groups, key=lambda g: g[0])
    }


def _map(index: int, group: tuple[Setting, list[tuple[MethodRow, str]]]) -> dict[str, Any]:
    setting, rows = group
    cells = {
        (row.source, row.target): Cell(row.share_of_ansor_speedup, _mark(row, verdict))
        for row, verdict in rows
    }
    sources, targets = ({pair[i]: None for pair in sorted(cells)} for i in (0, 1))
    title = f"Share of Ansor's speedup by source and target: {setting}"
    svg = heat_map(f"map{index}", title, sorted(sources), sorted(targets), cells=cells)
    return {"title": str(setting), "svg": Markup(svg)}


def _mark(row: MethodRow, verdict: str) -> str:
    if row.latency_ms is None:
        return "failed"
    if row.share_of_ansor_speedup is None:
        return "–"
    return "≈" if verdict == SAME else ""
