"""Tables of the workflow as the report reads them: by column, with a kind word when one is not."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from rivulet.errors import UserError

NEVER = "never"

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


def read_rows(path: Path, row_class: type[T]) -> list[T]:
    """Read a table whose rows are dataclasses; other columns are left out.

    Raises:
        UserError: It is not readable as such.
    """
    parsers = {field.name: _PARSERS[str(field.type)] for field in fields(row_class)}  # type: ignore[arg-type]
    lines = read_table(path, list(parsers))
    try:
        return [row_class(**{n: parse(line[n]) for n, parse in parsers.items()}) for line in lines]
    except ValueError as error:
        raise unreadable(path, error) from error


def read_table(path: Path, needed: list[str]) -> list[dict[str, str]]:
    """Read a table that has some columns at least, all values as text.

    Raises:
        UserError: It is not readable as such.
    """
    try:
        with path.open(newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"no column {', '.join(missing)}")
            return list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UserError:
    """What to raise when a table cannot be read."""
    return UserError(
        f"{path}: not readable as the table that the report expects ({error}); delete it, and the "
        "workflow makes it again"
    )


def optional_number(text: str) -> float | None:
    """A number, infinite where the table says never; None for an empty cell."""
    if text == NEVER:
        return math.inf
    return float(text) if text else None


def grouped(items: Iterable[V], key: Callable[[V], K]) -> list[tuple[K, list[V]]]:
    """Items by key, keys and items in the order in which they come."""
    groups: dict[K, list[V]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


# By the annotation of the field, which is text here.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": optional_number,
    "int | None": lambda text: int(text) if text else None,
}
