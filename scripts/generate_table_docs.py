#!/usr/bin/env python3
"""Writes docs/tables.md, the columns of all tables, from their rows' classes, or checks it."""

import argparse
import sys
from pathlib import Path

import _bootstrap  # noqa: F401
from rivulet.generated import bring_up_to_date
from rivulet.report.table_docs import tables_page

PAGE = Path(__file__).resolve().parent.parent / "docs/tables.md"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 if out of date"
    )
    options = parser.parse_args(arguments)
    command = "scripts/generate_table_docs.py"
    return bring_up_to_date({PAGE: tables_page()}, command, options.check)


if __name__ == "__main__":
    sys.exit(main())
