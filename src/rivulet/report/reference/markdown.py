"""Tables and figures as a page of Markdown has them."""

from __future__ import annotations

from collections.abc import Sequence

from rivulet.droplet.study import Stated
from rivulet.measure.ratios import Ratio
from rivulet.report.wording import interval_text

NONE = "–"


def table(heads: Sequence[object], lines: Sequence[Sequence[object]]) -> str:
    """A table; nothing where it has no lines."""
    if not lines:
        return ""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in r)} |" for r in rows)


def interval(ratio: Ratio | Stated | None) -> str:
    """A ratio with its interval; a dash for none."""
    return interval_text(ratio.value, ratio.low, ratio.high) if ratio else NONE
