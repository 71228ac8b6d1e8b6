"""What the switchable heat map shows: every transfer's figures, by setting."""

from __future__ import annotations

from typing import Any

from rivulet import methods
from rivulet.benchmark.table import MethodRow
from rivulet.methods import moves, place_of
from rivulet.report.inputs import Setting

# Key of a cell, what it is, and how it is read: from 0 to `most`, or else from the least to the
# most of a target; `low` where a low figure is a good one.
QUANTITIES: list[dict[str, Any]] = [
    {
        "key": "share", "title": "Share of Ansor's speedup", "most": 1,
        "read": "Ansor's latency over the transfer's: 1 is as fast as Ansor, above 1 faster; ≈ "
        "where no difference is shown. The darker, the nearer to Ansor.",
    },
    {
        "key": "latency", "title": "Latency in ms", "low": True,
        "read": "The darker, the faster among the sources of a target.",
    },
    {
        "key": "coverage", "title": "Share of FLOPs covered", "most": 1, "percent": True,
        "read": "How much of the target's work got a schedule of the source that runs with correct "
        "output.",
    },
    {
        "key": "seconds", "title": "Search time in s", "low": True,
        "read": "The transfer's own; the source's search is not in it. The darker, the shorter "
        "among the sources of a target.",
    },
]  # fmt: skip


def heat_data(verdicts: list[tuple[MethodRow, str]], same: str) -> dict[str, Any]:
    """The heat map's figures, JSON-ready.

    Args:
        verdicts: Rows of the benchmark table and how each compares with Ansor; only transfers
            count.
        same: The verdict of those of which no difference is shown.
    """
    groups: dict[tuple[Setting, int], list[dict[str, Any]]] = {}
    for row, verdict in verdicts:
        if not moves(row.method):
            continue
        key = (Setting(row.hardware, row.trials, row.log), place_of(row.method))
        groups.setdefault(key, []).append(
            {
                "source": row.source,
                "target": row.target,
                "share": row.share_of_ansor_speedup,
                "latency": row.latency_ms,
                "coverage": row.flops_covered,
                "seconds": row.search_seconds,
                "same": verdict == same,
                "failed": row.latency_ms is None,
            }
        )
    settings = [
        {"name": f"{setting}{methods.METHODS[place].ending}", "cells": cells}
        for (setting, place), cells in sorted(groups.items(), key=lambda group: group[0])
    ]
    return {"quantities": QUANTITIES, "settings": settings}
