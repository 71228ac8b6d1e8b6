"""Latency by trial count, where there are several."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.sweep import sweeps

TITLE = "Trials"


def context(data: ReportData) -> dict[str, Any] | None:
    """What the section shows."""
    found = sweeps(data.rows)
    return {"sweeps": found} if found else None
