"""What a finished run answers: ratios over all tables that measured them, with one interval each.

A target's own methods are timed again in the table of each of its pairs, minutes apart. Each table
is then one observation of their ratio, so that the interval is that of the benchmark repeated, and
not of one benchmark's minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rivulet.measure.ratios import Ratio
from rivulet.measure.statistics import geometric_interval, median
from rivulet.report.inputs import METHODS, MOVED, POOL, REFINED, TRANSFER

Row = Mapping[str, str]
_REPEATED = 3  # tables from which on their spread says more than each one's own interval


@dataclass(frozen=True, order=True)
class Variant:
    """A way to schedule a target.

    Attributes:
        method: As in the benchmark table.
        source: Source of a transfer; otherwise empty.
        log: Kind of the log that a transfer started from; otherwise empty.
    """

    method: str
    source: str = ""
    log: str = ""

    @property
    def label(self) -> str:
        """As tables name it."""
        if self.method not in MOVED:
            return _NAMES.get(self.method, self.method)
        source = "the pool" if self.source == POOL else self.source
        text = f"transfer from {source}"
        if self.log == "droplet":
            text += ", its log with droplet"
        return f"{text}, then droplet" if self.method == REFINED else text


_NAMES = {
    "untuned": "TVM, untuned",
    "onnxruntime": "ONNX Runtime",
    "torch": "PyTorch",
    "torch-compile": "torch.compile",
    "ansor": "Ansor",
    "droplet": "Ansor, then droplet",
    "warm": "warm start from the pool",
}


@dataclass(frozen=True)
class Answer:
    """A variant of one target over all tables that timed it.

    Attributes:
        variant: Which one.
        rows: Its rows.
    """

    variant: Variant
    rows: tuple[Row, ...]

    @property
    def latency_ms(self) -> float | None:
        """Median of the tables' latencies."""
        values = self.numbers("latency_ms")
        return median(values) if values else None

    def ratio(self, column: str, confidence: float) -> Ratio | None:
        """One of the tables' ratios; None where none has it."""
        return combined(self.rows, column, confidence)

    def number(self, column: str) -> float | None:
        """A figure that all tables share, such as the search time; None where it is empty."""
        values = self.numbers(column)
        return values[0] if values else None

    def numbers(self, column: str) -> list[float]:
        """A column's numbers, one for each table that has one."""
        return [float(row[column]) for row in self.rows if row[column] not in ("", "never")]


def answers(rows: Iterable[Row]) -> dict[str, list[Answer]]:
    """Answers by target.

    Args:
        rows: Of the collected benchmark table, of one hardware and trial count.
    """
    found: dict[str, dict[Variant, list[Row]]] = {}
    for row in rows:
        moved = row["method"] in MOVED
        variant = Variant(
            row["method"], row["source"] if moved else "", row["log"] if moved else ""
        )
        found.setdefault(row["target"], {}).setdefault(variant, []).append(row)
    return {
        target: [Answer(one, tuple(variants[one])) for one in sorted(variants, key=place_of)]
        for target, variants in found.items()
    }


def place_of(variant: Variant) -> tuple[int, bool, str, str]:
    """Where a variant stands in tables: droplet search on a transfer after it, the pool last."""
    order = METHODS.index(TRANSFER if variant.method == REFINED else variant.method)
    return (order, variant.source == POOL, variant.source, f"{variant.log}{variant.method}")


def combined(rows: Sequence[Row], column: str, confidence: float) -> Ratio | None:
    """A ratio over several tables.

    With three tables or more it is the geometric mean of theirs with Student's interval, each
    table an observation; two have the geometric mean and both intervals' hull, and one its own.

    Args:
        rows: One of each table.
        column: Such as ``share_of_ansor_speedup``; its ends are beside it.
        confidence: Of the interval, such as 0.95.
    """
    ends = (f"{column}_low", f"{column}_high")
    kept = [row for row in rows if row[column] and all(row[end] for end in ends)]
    if not kept:
        return None
    values = [float(row[column]) for row in kept]
    if len(values) >= _REPEATED:
        return Ratio(*geometric_interval(values, confidence))
    low, high = min(float(row[ends[0]]) for row in kept), max(float(row[ends[1]]) for row in kept)
    return Ratio(math.prod(values) ** (1 / len(values)), low, high)
