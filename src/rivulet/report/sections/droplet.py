"""What was measured of droplet search alone, where it was."""

from __future__ import annotations

from typing import Any

from rivulet.report.data import ReportData
from rivulet.report.droplet import droplet_worth

TITLE = "What droplet search is worth"


def context(data: ReportData) -> dict[str, Any] | None:
    """What the section shows."""
    found = droplet_worth(data.inputs.gains, data.inputs.effects)
    return {"droplet": found} if found["effects"] or found["gains"] else None
