"""The figures of latencies, shares and search times, as SVG to stand inside the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from rivulet.methods import colour_of
from rivulet.report.svg import GRID, STYLE, inline

LOG_RANGE = 20  # slowest over fastest above which a linear axis would squeeze the fast ones

_DASHES = ("-", "--", ":", "-.")  # tell apart what has one colour
# Not black and white: pure black would follow the page's text colour, and a cell keeps its own.
_ON_LIGHT, _ON_DARK = "#101418", "#fefefe"
_SHARES = LinearSegmentedColormap.from_list("shares", ["#e4eef8", "#8fbbe3", "#2f74b5", "#123a66"])


@dataclass(frozen=True)
class Cell:
    """A measured pair in the heat map: its share, if any, and a mark to set behind it."""

    share: float | None
    mark: str = ""

    @property
    def text(self) -> str:
        """What the cell says."""
        return self.mark if self.share is None else f"{self.share:.2f} {self.mark}".rstrip()


@dataclass(frozen=True)
class Measured:
    """A method in the latency figure.

    Attributes:
        label: Its name on the axis.
        method: Its kind, which gives the colour.
        runs: One (median, low, high) in ms for each run of it.
        text: Its latency in words.
    """

    label: str
    method: str
    runs: list[tuple[float, float, float]]
    text: str


@dataclass(frozen=True)
class Line:
    """A search in the figure of latency over time.

    Attributes:
        label: Its name in the legend.
        method: Its kind, which gives the colour.
        points: (seconds, milliseconds), from the first complete schedule on.
    """

    label: str
    method: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Swept:
    """A method in the figure of latency by trials.

    Attributes:
        label: Its name in the legend.
        method: Its kind, which gives the colour.
        points: (trials, median, low, high), latencies in ms.
    """

    label: str
    method: str
    points: list[tuple[int, float, float, float]]


def heat_map(
    name: str,
    title: str,
    sources: list[str],
    targets: list[str],
    *,
    cells: dict[tuple[str, str], Cell],
) -> str:
    """Share of Ansor's speedup, sources down and targets across, as inline SVG.

    Args:
        name: Names the figure within the page; ids begin with it.
        title: What it shows, for those who do not see it.
        sources: Rows.
        targets: Columns.
        cells: (source, target) to what was measured; others stay empty.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        size = (1.9 + 0.85 * len(targets), 1.0 + 0.46 * len(sources))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        for (source, target), cell in cells.items():
            _draw_cell(axes, targets.index(target), sources.index(source), cell)
        axes.set_xlim(-0.5, len(targets) - 0.5)
        axes.set_ylim(len(sources) - 0.5, -0.5)
        long = any(len(t) > 9 for t in targets)
        turn: dict[str, Any] = (
            {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
        )
        axes.set_xticks(range(len(targets)), targets, **turn)
        axes.set_yticks(range(len(sources)), sources)
        axes.set_xlabel("target")
        axes.set_ylabel("source")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        told = "; ".join(f"{pair[0]} to {pair[1]}: {c.text}" for pair, c in cells.items())
        return inline(figure, name, title, told)


def latency_chart(name: str, title: str, methods: list[Measured]) -> str:
    """Latency of each method with the interval of its median, as inline SVG.

    Args:
        name: Names the figure within the page; ids begin with it.
        title: What it shows, for those who do not see it.
        methods: From top to bottom; those without runs say so.
    """
    values = [value for m in methods for run in m.runs for value in run]
    logarithmic = bool(values) and max(values) > LOG_RANGE * min(values) > 0
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        width = 5.1 + _room(m.label for m in methods)
        figure = Figure(figsize=(width, 0.75 + 0.34 * len(methods)), layout="constrained")
        axes = figure.add_subplot()
        if logarithmic:
            axes.set_xscale("log")
            axes.set_xlim(min(values) / 1.25, max(values) * 1.9)
            axes.xaxis.set_major_locator(LogLocator(subs=_log_steps(max(values) / min(values))))
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif values:
            axes.set_xlim(0, max(values) * 1.14)
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        for row, method in enumerate(methods):
            _draw_method(axes, row, method)
        axes.set_ylim(len(methods) - 0.4, -0.6)
        axes.set_yticks(range(len(methods)), [m.label for m in methods])
        axes.set_xlabel(f"latency in ms{', logarithmic' if logarithmic else ''}")
        axes.grid(axis="x", color=GRID, alpha=0.35, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        told = "; ".join(f"{m.label}: {m.text}{' ms' if m.runs else ''}" for m in methods)
        return inline(figure, name, title, told)


def curve_chart(name: str, title: str, lines: list[Line]) -> str:
    """Latency over search time, both logarithmic, as inline SVG.

    Args:
        name: Names the figure within the page; ids begin with it.
        title: What it shows, for those who do not see it.
        lines: In the order of the legend; each has a point at least.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        width = 6.4 + _room(line.label for line in lines)
        figure = Figure(figsize=(width, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        shades: dict[str, int] = {}
        for line in lines:
            number = shades[line.method] = shades.get(line.method, -1) + 1
            style = _DASHES[number % len(_DASHES)]
            seconds, latencies = zip(*line.points, strict=True)
            axes.step(
                seconds, latencies, where="post", color=colour_of(line.method, GRID),
                linestyle=style, linewidth=1.5, label=line.label,
            )  # fmt: skip
            axes.plot(
                seconds[-1], latencies[-1], "o", markersize=4, color=colour_of(line.method, GRID)
            )
        for place, axis in enumerate((axes.xaxis, axes.yaxis)):
            values = [point[place] for line in lines for point in line.points]
            span = max(values) / min(values)
            # Within a decade the steps of a logarithmic locator may leave a single number.
            locator = LogLocator(subs=_log_steps(span)) if span > 10 else MaxNLocator(6)
            axis.set_major_locator(locator)
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("search time in s, logarithmic")
        axes.set_ylabel("sum of kernels in ms, logarithmic")
        _add_grid_and_legend(axes, "both")
        told = "; ".join(
            f"{line.label}: {line.points[-1][1]:.3g} ms after {line.points[-1][0]:.3g} s"
            for line in lines
        )
        return inline(figure, name, title, told)


def sweep_chart(name: str, title: str, lines: list[Swept]) -> str:
    """Latency by trial count with intervals, as inline SVG; trials are logarithmic.

    Args:
        name: Names the figure within the page; ids begin with it.
        title: What it shows, for those who do not see it.
        lines: In the order of the legend; each has a point at least.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        width = 6.4 + _room(line.label for line in lines)
        figure = Figure(figsize=(width, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for line in lines:
            trials, middles, lows, highs = zip(*line.points, strict=True)
            whiskers = _whiskers(middles, lows, highs)
            axes.errorbar(
                trials, middles, yerr=whiskers, fmt="o-", markersize=4, capsize=3, linewidth=1.4,
                color=colour_of(line.method, GRID), label=line.label,
            )  # fmt: skip
        counts = sorted({point[0] for line in lines for point in line.points})
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(bottom=0)
        axes.set_xlabel("trials of Ansor's search, logarithmic")
        axes.set_ylabel("latency in ms")
        _add_grid_and_legend(axes, "y")
        told = "; ".join(
            f"{line.label}: " + ", ".join(f"{p[1]:.3g} ms after {p[0]}" for p in line.points)
            for line in lines
        )
        return inline(figure, name, title, told)


def _draw_cell(axes: Any, column: int, row: int, cell: Cell) -> None:
    fill, colour = "none", "black"
    outline: dict[str, Any] = {"edgecolor": GRID, "linestyle": ":"}
    if cell.share is not None:
        rgba = _SHARES(min(max(cell.share, 0.0), 1.0))
        fill, outline = to_hex(rgba), {}
        colour = _ON_LIGHT if _luminance(rgba) > 0.18 else _ON_DARK
    box = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=fill, **outline)
    axes.add_patch(box)
    axes.text(column, row, cell.text, color=colour, ha="center", va="center")


def _luminance(rgba: tuple[float, ...]) -> float:
    """Relative luminance as WCAG defines it; at 0.18, black and white contrast equally well."""
    red, green, blue = (c / 12.92 if c <= 0.04 else ((c + 0.055) / 1.055) ** 2.4 for c in rgba[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _draw_method(axes: Any, row: int, method: Measured) -> None:
    colour = colour_of(method.method, GRID)
    if not method.runs:
        axes.text(
            0.01,
            row,
            method.text,
            transform=axes.get_yaxis_transform(),
            va="center",
            style="italic",
        )
        return
    spread = 0.5 if len(method.runs) > 1 else 0.0
    for number, (middle, low, high) in enumerate(method.runs):
        # Runs of one method stand above each other, or they would hide each other.
        whiskers = _whiskers([middle], [low], [high])
        y = row + spread * ((number + 0.5) / len(method.runs) - 0.5)
        axes.errorbar(
            middle,
            y,
            xerr=whiskers,
            fmt="o",
            color=colour,
            markersize=4.5 if len(method.runs) == 1 else 3,
            capsize=4 if len(method.runs) == 1 else 0,
            linewidth=1.4,
        )
    axes.annotate(
        method.text,
        (max(high for _, _, high in method.runs), row),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _add_grid_and_legend(axes: Any, lines: str) -> None:
    axes.grid(axis=lines, color=GRID, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _whiskers(
    middles: Iterable[float], lows: Iterable[float], highs: Iterable[float]
) -> list[list[float]]:
    """Lengths to either side; rounding may put a median just outside its interval."""
    ends = list(zip(middles, lows, highs, strict=True))
    return [[max(m - low, 0.0) for m, low, _ in ends], [max(high - m, 0.0) for m, _, high in ends]]


def _room(labels: Iterable[str]) -> float:
    """Inches that long labels need besides, lest they take the axes' room."""
    return 0.08 * max(0, max(map(len, labels), default=0) - 24)


def _log_steps(span: float) -> tuple[float, ...]:
    return (1.0, 2.0, 5.0) if span < 2000 else (1.0,)
