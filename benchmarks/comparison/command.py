"""The command line of a benchmark that has sections and keeps what is finished."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from comparison.launch import BENCHMARKS


def parse_sections(
    name: str, description: str | None, sections: Sequence[str], arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Read the command line.

    Args:
        name: Of the benchmark; what is kept goes to ``benchmarks/work/{name}``.
        description: What ``--help`` says first.
        sections: Those that there are.
        arguments: The command line; the process's own by default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a rough answer, on small inputs, in minutes")
    add("--sections", nargs="+", choices=sections, default=sections, metavar="SECTION",
        help=f"of: {', '.join(sections)} (default: all)")  # fmt: skip
    add("--work", type=Path, metavar="FOLDER",
        help="where everything is kept (default: below benchmarks/work)")  # fmt: skip
    add("--cores", default="all", help="cores for Snakemake (default: all)")
    options = parser.parse_args(arguments)
    place = BENCHMARKS / "work" / (f"{name}-quick" if options.quick else name)
    options.work = (options.work or place).resolve()
    return options


def say(text: str) -> None:
    """Write a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
