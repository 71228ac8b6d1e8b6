"""Tables whose rows are dataclasses, as CSV files; and tables within pages."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from rivulet.errors import UserError

Row = TypeVar("Row")


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


def read_table(row_class: type[Row], path: Path) -> list[Row]:
    """Rows of a table that `write_table` wrote, each cell a text; none where there is no file.

    Raises:
        UserError: It is another table.
    """
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    if any(tuple(row) != columns_of(row_class) for row in rows):
        raise UserError(f"{path}: its columns are not those of this command; name another file")
    return [row_class(**row) for row in rows]


def put_between(path: Path, begin: str, end: str, block: str) -> None:
    """Put a block into a page, in the place of what stands between two marks, and of these.

    Args:
        path: The page.
        begin: Mark before the block.
        end: Mark behind it.
        block: The block, which begins and ends with the marks.

    Raises:
        UserError: The page has no such place.
    """
    text = path.read_text() if path.exists() else ""
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (begun and ended):
        raise UserError(f"{path}: has no place for the table; it lies between {begin} and {end}")
    path.write_text(head + block + tail)
