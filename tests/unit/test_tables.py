"""Tables by their rows' classes: written, read back and documented."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from rivulet.errors import UserError
from rivulet.report.table_docs import TABLES, tables_page
from rivulet.tables import (
    NEVER,
    columns_of,
    has_columns,
    meanings_of,
    read_table,
    write_table,
    written,
)

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Row:
    """A row.

    Attributes:
        class_: Its class, in words
            that go on: here.
        count: How many.
    """

    class_: str
    count: int
    share: float | None = written("{:.2e}".format)
    seconds: float | None = written(lambda s: NEVER if math.isinf(s) else str(s))
    free: int | str = ""


def test_rows_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "rows.csv"
    rows = [Row("a", 1), Row("b", 2, 0.25, math.inf, 3)]
    write_table(Row, rows, path)
    assert path.read_text().splitlines() == [
        "class,count,share,seconds,free", "a,1,,,", "b,2,2.50e-01,never,3",
    ]  # fmt: skip
    assert has_columns(Row, path)
    assert read_table(Row, path) == [rows[0], Row("b", 2, 0.25, math.inf, "3")]


def test_other_columns_are_left_out_and_missing_ones_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("more,class,count,share,seconds,free\nx,a,1,,,\n")
    assert read_table(Row, path) == [Row("a", 1)]
    assert not has_columns(Row, path)
    path.write_text("class,count\na,1\n")
    with pytest.raises(UserError, match="no column share, seconds, free"):
        read_table(Row, path)
    path.write_text("class,count,share,seconds,free\na,one,,,\n")
    with pytest.raises(UserError, match=r"rows\.csv: not readable .*one"):
        read_table(Row, path)


def test_what_a_column_means_is_in_the_docstring():
    found = meanings_of(Row)
    assert tuple(found) == columns_of(Row)
    assert found["class"] == "Its class, in words that go on: here."
    assert (found["count"], found["share"]) == ("How many.", "")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_column_is_documented(table):
    assert all(meanings_of(table.row_class).values())


def test_the_page_of_columns_is_up_to_date():
    assert (ROOT / "docs/tables.md").read_text() == tables_page()
