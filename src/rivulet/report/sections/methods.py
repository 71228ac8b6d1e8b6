"""All figures of each method on each target."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.grouping import grouped
from rivulet.report.wording import range_text

TITLE = "Methods by target"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    timed = [row for row in data.rows if row.latency_ms is not None]
    return {
        "tables": grouped(data.blocks, lambda block: block.setting),
        "samples": range_text([row.samples for row in timed], "g"),
        "processes": range_text([row.processes for row in timed], "g"),
    }
