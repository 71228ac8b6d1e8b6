"""The page of what can be compiled: node tests by operator, and what the refused ones say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rivulet.conformance.judging import Verdict
from rivulet.tables import put_between

BEGIN, END = "<!-- operators: begin -->", "<!-- operators: end -->"
_OUTCOMES = ("right", "refused", "wrong", "unclear")


def totals(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Number of tests by outcome."""
    found = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: found[outcome] for outcome in _OUTCOMES}


def operator_table(verdicts: list[Verdict], releases: str) -> str:
    """Markdown: the totals, then a line for each operator.

    Args:
        verdicts: Of all tests.
        releases: Of the packages that they were found with.
    """
    count = totals(verdicts)
    lines = [
        f"{sum(count.values())} tests with {releases}: "
        f"**{count['right']} right, {count['refused']} refused by name, {count['wrong']} wrong, "
        f"{count['unclear']} that end in any other way.**",
        "",
        "| operator | right | refused | other | what is refused, or wrong |",
        "|---|---|---|---|---|",
    ]
    for operator in sorted({verdict.operator for verdict in verdicts}, key=str.lower):
        about = [verdict for verdict in verdicts if verdict.operator == operator]
        mine = totals(about)
        other = mine["wrong"] + mine["unclear"]
        lines.append(
            f"| {operator} | {mine['right']} | {mine['refused'] or ''} | {other or ''} "
            f"| {_reasons(about)} |"
        )
    return "\n".join(lines)


def write_page(page: Path, table: str) -> None:
    """Put the table into the page, between its two marks."""
    put_between(page, BEGIN, END, f"{BEGIN}\n{table}\n{END}")


def _reasons(verdicts: list[Verdict]) -> str:
    said = []
    for verdict in verdicts:
        if verdict.outcome == "right":
            continue
        words = verdict.message.replace("|", "\\|").strip()
        if verdict.outcome == "refused":
            words = _without_place(words)
        if words not in said:
            said.append(words)
    return "; ".join(said[:3])


def _without_place(line: str) -> str:
    """What a line says, without the file and the node that it says it of."""
    line = re.sub(r"^\S*model\.onnx: ", "", line).split("; docs/operators.md")[0]
    return re.sub(r"^(node '[^']*' \(\S+\): |\w+ '[^']*' (is )?)", "", line)
