"""Print the collected benchmarks as a table.

A target's own methods are measured once per pair; shown is the median over the pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rivulet import methods
from rivulet.benchmark.table import read_rows
from rivulet.cli.options import described
from rivulet.figures import fixed
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR, moves, place_of

Row = dict[str, str]
HEADINGS = (
    "hardware", "target", "trials", "method", "from", "latency ms", "95 % interval", "vs untuned",
    "vs ORT", "of Ansor", "95 % interval", "search s", "FLOPs covered",
)  # fmt: skip


def summary_lines(rows: Iterable[Row]) -> list[str]:
    """The table's lines."""
    groups: dict[tuple[str, str, int, int, str], list[Row]] = {}
    for row in rows:
        origin = f"{row['source']} ({row['log']})" if moves(row["method"]) else ""
        key = (
            row["hardware"], row["target"], int(row["trials"]), place_of(row["method"]), origin,
        )  # fmt: skip
        groups.setdefault(key, []).append(row)
    cells: list[tuple[str, ...]] = [HEADINGS]
    for (hardware, target, trials, order, origin), group in sorted(groups.items()):
        errors = [row["error"] for row in group if row["error"]]
        cells.append(
            (
                hardware, target, str(trials), methods.METHODS[order].name, origin,
                errors[0][:40] if errors else middle(group, "latency_ms", lambda ms: fixed(ms, 3)),
                interval(group),
                middle(group, "speedup_vs_untuned", "{:.1f}x".format),
                middle(group, "speedup_vs_onnxruntime", "{:.2f}x".format),
                middle(group, "share_of_ansor_speedup", "{:.0%}".format),
                ratio(group, "share_of_ansor_speedup"),
                middle(group, "search_seconds", "{:.0f}".format),
                middle(group, "flops_covered", "{:.0%}".format),
            )
        )  # fmt: skip
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
    lines = []
    for line in cells:
        parts = [
            c.ljust(w) if i in (0, 1, 3, 4) else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def ratio(group: Sequence[Row], column: str) -> str:
    """Interval of a ratio, from the lowest to the highest end over the group's rows."""
    ends = [(row[f"{column}_low"], row[f"{column}_high"]) for row in group]
    known = [(float(low), float(high)) for low, high in ends if low and high]
    if not known or group[0]["method"] == ANSOR:
        return ""
    return f"{min(low for low, _ in known):.0%}-{max(high for _, high in known):.0%}"


def middle(group: Sequence[Row], column: str, shown: Callable[[float], str]) -> str:
    """Median of a column over the group's rows, as ``shown`` words it; empty without values."""
    values = [float(row[column]) for row in group if row[column]]
    return shown(median(values)) if values else ""


def interval(group: Sequence[Row]) -> str:
    """Interval of one run, or the hull of several runs' intervals."""
    lows = [float(row["latency_ms_low"]) for row in group if row["latency_ms_low"]]
    highs = [float(row["latency_ms_high"]) for row in group if row["latency_ms_high"]]
    return f"{fixed(min(lows), 3)}-{fixed(max(highs), 3)}" if lows else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("summary", __doc__)
    parser.add_argument(
        "table", type=Path, nargs="?", default=Path("results/benchmarks.csv"),
        help="(default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if not options.table.exists():
        print(f"{options.table}: not there yet; run the workflow first, such as 'make demo'")
        return 1
    rows = read_rows(options.table)
    print("\n".join(summary_lines(rows)) if rows else f"{options.table}: no pairs in this matrix")
    return 0
