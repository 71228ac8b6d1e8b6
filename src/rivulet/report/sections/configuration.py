"""The configuration as resolved."""

from __future__ import annotations

import json
from typing import Any

from rivulet.report.data import ReportData

TITLE = "Configuration"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    return {"config": _pretty(data.inputs.config_json)}


def _pretty(config_json: str) -> str:
    try:
        return json.dumps(json.loads(config_json), indent=2, ensure_ascii=False)
    except ValueError:
        return config_json
