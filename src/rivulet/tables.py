"""Tables whose rows are dataclasses, as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any


def columns_of(row_class: type[Any]) -> tuple[str, ...]:
    """Names of the columns: those of the fields."""
    return tuple(field.name for field in fields(row_class))


def write_table(row_class: type[Any], rows: Iterable[Any], path: Path) -> None:
    """Write a table; the header stands there without any row too."""
    columns = columns_of(row_class)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([getattr(row, name) for name in columns] for row in rows)
