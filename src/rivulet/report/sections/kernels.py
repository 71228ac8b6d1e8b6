"""Each kernel of each target by method, and the machine's roofs."""

from __future__ import annotations

from typing import Any

from rivulet.measure.roofline import RoofRow
from rivulet.report.data import ReportData
from rivulet.report.kernel_table import COLUMNS, FILTERS, kernel_data, speaking_tables
from rivulet.tables import read_table

TITLE = "Kernels"


def context(data: ReportData) -> dict[str, Any]:
    """What the section shows."""
    tables = speaking_tables(data.inputs.kernel_tables)
    kernels = kernel_data(tables, data.inputs.benchmarks.parent)
    return {
        "kernel_rows": len(kernels["rows"]),
        "kernel_columns": COLUMNS,
        "kernel_filters": [
            (number, column["title"])
            for number, column in enumerate(COLUMNS)
            if column["name"] in FILTERS
        ],
        "kernel_tables": tables,
        "roofs": [(path, read_table(RoofRow, path)) for path in data.inputs.rooflines],
        "embedded": {"kernels": kernels},
    }
