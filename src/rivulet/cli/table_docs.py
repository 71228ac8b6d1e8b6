"""Write docs/tables.md, the columns of all tables, from their rows' classes, or check it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rivulet.generated import bring_up_to_date
from rivulet.report.table_docs import tables_page

PAGE = Path("docs/tables.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="rivulet table-docs", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 if out of date"
    )
    options = parser.parse_args(arguments)
    return bring_up_to_date({PAGE: tables_page()}, "rivulet table-docs", options.check)
