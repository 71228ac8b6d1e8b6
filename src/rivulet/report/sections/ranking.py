"""How sources were ranked before anything was measured, and how right that was."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.rankings import rankings

TITLE = "Ranking of sources"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    return {"rankings": rankings(data.inputs.rankings, data.rows)}
