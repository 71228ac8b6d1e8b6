"""The benchmark table by target: a line for each method, and which one is the fastest."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from rivulet import methods
from rivulet.benchmark.table import MethodRow
from rivulet.methods import ANSOR, method_of, place_of
from rivulet.report.grouping import grouped
from rivulet.report.inputs import Setting
from rivulet.report.verdicts import OVER_ANSOR, OVER_RUNTIME, verdict
from rivulet.report.wording import interval_text, latency_text


@dataclass(frozen=True)
class Line:
    """A line of the summary table: one method on one target, in one or more pair runs."""

    label: str
    method: str
    rows: list[MethodRow]
    verdict: str

    @property
    def timed(self) -> list[MethodRow]:
        """The rows that have a latency."""
        return [row for row in self.rows if row.latency_ms is not None]

    @property
    def errors(self) -> list[str]:
        """Distinct errors, with the number of runs where not every run has it."""
        texts = [row.error for row in self.rows if row.error]
        runs = len(self.rows)
        return [
            text if texts.count(text) == runs else f"{text} (in {texts.count(text)} of {runs} runs)"
            for text in dict.fromkeys(texts)
        ]

    @property
    def latency(self) -> tuple[str, str]:
        """Latency and its spread: the interval of one run, or the range of several medians."""
        values = [row.latency_ms for row in self.rows if row.latency_ms is not None]
        if len(values) > 1:
            middle, low, high = latency_text(statistics.median(values), min(values), max(values))
            return middle, f"{len(values)} runs: {low}–{high}"
        middle, low, high = latency_text(values[0], *(self.timed[0].interval or (0, 0)))
        return middle, f"{low}–{high}"

    def middle(self, column: str) -> float | None:
        """Median of a column over the runs that have it."""
        values = [v for row in self.rows if (v := getattr(row, column)) is not None]
        return statistics.median(values) if values else None


@dataclass(frozen=True)
class Block:
    """One target on one hardware with one trial count."""

    setting: Setting
    target: str
    lines: list[Line]

    def line(self, method: str) -> Line | None:
        """The line of one of the target's own methods, if it has a latency."""
        return next((x for x in self.lines if x.method == method and x.timed), None)


def blocks_of(rows: list[MethodRow]) -> list[Block]:
    """The table by hardware, trials and target."""
    blocks = []
    groups = grouped(rows, lambda r: (Setting(r.hardware, r.trials), r.target))
    for (setting, target), group in sorted(groups, key=lambda g: g[0]):
        lines = []
        for method in (one for one in methods.METHODS if not one.moves):
            own = [row for row in group if row.method == method.name]
            if own:
                shown = verdict(own, OVER_ANSOR) if method.name != ANSOR else ""
                lines.append(Line(method.title, method.name, own, shown))
        moved = [row for row in group if methods.moves(row.method)]
        for row in sorted(moved, key=lambda r: (r.pair, place_of(r.method))):
            label = f"{method_of(row.method).title} {origin(row)}"
            lines.append(Line(label, row.method, [row], verdict([row], OVER_ANSOR)))
        blocks.append(Block(setting, target, lines))
    return blocks


def origin(row: MethodRow) -> str:
    """Where a transfer comes from, in words."""
    return f"from {row.source}, {row.log} log"


@dataclass(frozen=True)
class Fastest:
    """Which method is the fastest on a target, and how sure that is.

    Attributes:
        block: The target, its hardware and trial count.
        line: The method with the largest share of Ansor's speedup.
        share: That share with its interval, in words.
        over_runtime: Speedup over ONNX Runtime with its interval, in words; empty without.
        rivals: Labels of the methods whose intervals overlap with it.
    """

    block: Block
    line: Line
    share: str
    over_runtime: str
    rivals: list[str]


def fastest_method(block: Block) -> Fastest | None:
    """By ratios to Ansor, since pair runs differ and every one of them has timed it."""
    tuned = [x for x in block.lines if x.timed and x.method not in methods.baselines()]
    rated = [(x, rows) for x in tuned if (rows := [r for r in x.timed if _ends(r, OVER_ANSOR)])]
    if not rated:
        return None

    def middle(rows: list[MethodRow]) -> float:
        return float(statistics.median(getattr(row, OVER_ANSOR) for row in rows))

    line, rows = max(rated, key=lambda one: middle(one[1]))
    low = min(getattr(row, f"{OVER_ANSOR}_low") for row in rows)
    rivals = [
        other.label
        for other, own in rated
        if other is not line and max(getattr(row, f"{OVER_ANSOR}_high") for row in own) >= low
    ]
    return Fastest(
        block, line, _ratio_text(rows, OVER_ANSOR), _ratio_text(rows, OVER_RUNTIME), rivals
    )


def _ends(row: MethodRow, column: str) -> bool:
    return getattr(row, f"{column}_low") is not None and getattr(row, f"{column}_high") is not None


def _ratio_text(rows: list[MethodRow], column: str) -> str:
    known = [row for row in rows if _ends(row, column)]
    if not known:
        return ""
    middle = statistics.median(getattr(row, column) for row in known)
    low = min(getattr(row, f"{column}_low") for row in known)
    high = max(getattr(row, f"{column}_high") for row in known)
    return interval_text(middle, low, high)
