"""Tables whose rows are dataclasses, as CSV files; and tables within pages.

A row's class is all there is to know of a table: its fields are the columns, their types say how a
cell is read, and what its docstring says of them is the documentation.
"""

from __future__ import annotations

import csv
import inspect
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from rivulet.errors import UserError

NEVER = "never"

Row = TypeVar("Row")


def written(how: Callable[[float], str]) -> Any:
    """A number that may be missing, for a row's class, and is written in a way of its own."""
    return field(default=None, metadata={"written": how})


def columns_of(row_class: type[Any]) -> tuple[str, ...]:
    """Names of the columns: those of the fields, without the underscore behind a keyword's."""
    return tuple(field.name.rstrip("_") for field in fields(row_class))


def meanings_of(row_class: type[Any]) -> dict[str, str]:
    """What the docstring's section ``Attributes`` says of each column; empty where it does not."""
    _, _, said = (inspect.getdoc(row_class) or "").partition("\nAttributes:\n")
    found = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", said, re.MULTILINE))
    return {
        column: " ".join(found.get(field.name, "").split())
        for column, field in zip(columns_of(row_class), fields(row_class), strict=True)
    }


def write_table(row_class: type[Any], rows: Iterable[Any], path: Path) -> None:
    """Write a table; the header stands there without any row too, and None is an empty cell."""
    hows = {field.name: field.metadata.get("written", _as_it_is) for field in fields(row_class)}
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns_of(row_class))
        for row in rows:
            values = ((how, getattr(row, name)) for name, how in hows.items())
            writer.writerow("" if value is None else how(value) for how, value in values)


def read_table(row_class: type[Row], path: Path) -> list[Row]:
    """Read a table; columns that its rows' class does not have are left out.

    Raises:
        UserError: It is not readable as such.
    """
    parsers = _parsers(row_class)
    try:
        with path.open(newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            missing = [
                name for name in columns_of(row_class) if name not in (reader.fieldnames or ())
            ]
            if missing:
                raise ValueError(f"no column {', '.join(missing)}")
            return [
                row_class(**{name: parse(line[column]) for name, column, parse in parsers})
                for line in reader
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path}: not readable as the table that it should be ({error}); delete it, and the "
            "workflow makes it again"
        ) from error


def read_own_table(row_class: type[Row], path: Path) -> list[Row]:
    """Rows of the table that a command is about to go on with; none where there is no file yet.

    Raises:
        UserError: It is another table.
    """
    if not path.exists():
        return []
    if not has_columns(row_class, path):
        raise UserError(f"{path}: its columns are not those of this command; name another file")
    return read_table(row_class, path)


def has_columns(row_class: type[Any], path: Path) -> bool:
    """Whether a file's columns are these, and no others."""
    with path.open(newline="") as stream:
        return tuple(next(csv.reader(stream), ())) == columns_of(row_class)


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


def _parsers(row_class: type[Any]) -> list[tuple[str, str, Callable[[str], Any]]]:
    """Name, column and parser of each field."""
    types = get_type_hints(row_class)
    return [
        (field.name, column, _PARSERS.get(types[field.name], str))
        for field, column in zip(fields(row_class), columns_of(row_class), strict=True)
    ]


def _as_it_is(value: Any) -> Any:
    return value


def _number(text: str) -> float | None:
    """A number, infinite where the table says never; None for an empty cell."""
    if text == NEVER:
        return math.inf
    return float(text) if text else None


# By the type of the field; what is of another type is read as text.
_PARSERS: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    float | None: _number,
    int | None: lambda text: int(text) if text else None,
}
