"""Each target on each hardware, where there are several."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.machines import side_by_side

TITLE = "Hardware side by side"


def context(data: ReportData) -> dict[str, Any] | None:
    """What the section shows."""
    machines = side_by_side(data.blocks, data.records)
    return {"machines": machines} if machines else None
