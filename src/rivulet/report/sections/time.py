"""What searches took, and what the latency was meanwhile."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.inputs import read_history
from rivulet.report.search_time import search_times

TITLE = "Search time"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    histories = [read_history(path) for path in data.inputs.histories]
    return {"times": search_times(data.rows, histories)}
