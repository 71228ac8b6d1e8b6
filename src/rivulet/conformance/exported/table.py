"""The page of exported models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rivulet.conformance.exported.judging import NO_FILE, REFUSED, RIGHT, UNCLEAR, WRONG, Row

BEGIN, END = "<!-- exported: begin -->", "<!-- exported: end -->"


def totals(rows: Iterable[Row]) -> dict[str, int]:
    """Number of files by result."""
    found = Counter(row.result for row in rows)
    return {result: found[result] for result in (RIGHT, REFUSED, WRONG, UNCLEAR, NO_FILE)}


def export_table(rows: Sequence[Row], made_with: Sequence[str]) -> str:
    """Markdown between the page's marks: the totals, what it was made with, a line for each file.

    Args:
        rows: Of all files, in the order of the table.
        made_with: Lines on the machine and the releases.
    """
    count = totals(rows)
    lines = [
        BEGIN, "",
        f"{len(rows) - count[NO_FILE]} files: **{count[RIGHT]} right, "
        f"{count[REFUSED]} refused by name, "
        f"{count[WRONG]} wrong, {count[UNCLEAR]} that end in any other way.** "
        f"Exports at which PyTorch itself fails: {count[NO_FILE]}.", "",
        *(f"- {line}" for line in made_with), "",
        "| model | package | exporter | opset | kernels | preparation, CPU s | result |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        lines.append(
            f"| {row.model} | {row.package} | {row.exporter} | {row.opset} | {row.kernels} "
            f"| {row.seconds} | {_result(row)} |"
        )
    return "\n".join([*lines, "", END])


def _result(row: Row) -> str:
    if row.result == RIGHT:
        return f"right ({float(row.error):.0e})"
    said = row.message.replace("|", "\\|")
    return f"{row.result}: {said}"
