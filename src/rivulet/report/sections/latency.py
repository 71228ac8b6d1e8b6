"""The latencies of each target by method, as figures."""

from __future__ import annotations

import statistics
from typing import Any

from markupsafe import Markup

from rivulet.methods import method_of, moves
from rivulet.report.blocks import Block, Line, origin
from rivulet.report.data import ReportData
from rivulet.report.plots import Measured, latency_chart
from rivulet.report.verdicts import OVER_ANSOR

TITLE = "Latency"

# More in one figure could not be told apart, and the page of a large matrix would be slow.
_MOST_TRANSFERS, _MOST_RUNS = 12, 12


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    return {"charts": [_chart(i, block) for i, block in enumerate(data.blocks)]}


def _chart(index: int, block: Block) -> dict[str, Any]:
    methods = []
    shown = _worth_drawing(block.lines)
    for line in shown:
        runs = [
            (row.latency_ms, *row.interval)
            for row in line.rows
            if row.latency_ms is not None and row.interval is not None
        ]
        if len(runs) > _MOST_RUNS:
            middles, lows, highs = zip(*runs, strict=True)
            runs = [(statistics.median(middles), min(lows), max(highs))]
        text = line.latency[0] if runs else "no latency"
        methods.append(Measured(_short(line), line.method, runs, text))
    title = f"Latency of {block.target} by method: {block.setting}"
    svg = latency_chart(f"chart{index}", title, methods)
    return {
        "title": f"{block.target}: {block.setting}",
        "svg": Markup(svg),
        "left_out": len(block.lines) - len(shown),
    }


def _worth_drawing(lines: list[Line]) -> list[Line]:
    """A target's own methods, and of many transfers the best ones; all are in the table."""
    moved = [line for line in lines if moves(line.method)]
    best = sorted(moved, key=lambda line: -(line.middle(OVER_ANSOR) or 0.0))[:_MOST_TRANSFERS]
    return [line for line in lines if not moves(line.method) or line in best]


def _short(line: Line) -> str:
    """A line's label where there is little room."""
    if not moves(line.method):
        return line.label
    return origin(line.rows[0]).removesuffix(" log") + method_of(line.method).ending
