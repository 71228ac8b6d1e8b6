"""What may be claimed, in sentences, and the fastest method of each target."""

from __future__ import annotations

from typing import Any

from rivulet.report.blocks import fastest_method
from rivulet.report.data import ReportData
from rivulet.report.summary import overall, sentences, warnings

TITLE = "Summary"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    return {
        "warnings": warnings(data.rows),
        "overall": overall(data.rows),
        "fastest": [fastest_method(block) for block in data.blocks],
        "paragraphs": [
            (block.target, block.setting, sentences(block, data.confidence))
            for block in data.blocks
        ],
    }
