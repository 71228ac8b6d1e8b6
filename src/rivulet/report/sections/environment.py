"""The devices that were measured on, and what these did meanwhile."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.environments import environments

TITLE = "Environment"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    return {"environments": environments(data.rows, data.records), "records": data.records}
