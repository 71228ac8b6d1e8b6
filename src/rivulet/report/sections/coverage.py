"""The models' kernels, and those that transfers cover."""

from __future__ import annotations

from typing import Any

from rivulet.report.coverage import coverage_of
from rivulet.report.data import ReportData
from rivulet.report.grouping import grouped
from rivulet.report.inputs import read_kernels, read_transfer

TITLE = "Coverage"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    models = (read_kernels(path) for path in data.inputs.kernels)
    transfers = (read_transfer(path) for path in data.inputs.candidates)
    groups = grouped(sorted(transfers, key=lambda t: t.setting), lambda t: t.setting)
    return {
        "models": sorted(models, key=lambda k: (k.hardware, k.model)),
        "coverage": [coverage_of(*group) for group in groups],
    }
