"""The figure of what each method reaches of ONNX Runtime's speed, one panel for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rivulet.measure.ratios import Ratio
from rivulet.methods import ONNXRUNTIME, colour_of
from rivulet.report.svg import GRID, STYLE, inline, stand_alone

Point = tuple[str, str, Ratio]
"""Label, method and speed of a line."""


def speed_chart(title: str, targets: Mapping[str, Sequence[Point]]) -> str:
    """Speed over ONNX Runtime's with intervals, as an SVG file of its own.

    Args:
        title: What it shows, for those who do not see it.
        targets: Target to its lines, from top to bottom.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "speed"}):
        lines = [len(points) for points in targets.values()]
        figure = Figure(figsize=(8.4, 0.5 + 0.62 * len(lines) + 0.21 * sum(lines)))
        places = figure.subplots(
            len(lines), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": lines}
        )[:, 0]
        for axes, (target, points) in zip(places, targets.items(), strict=True):
            for row, (_, method, ratio) in enumerate(points):
                colour = colour_of(method, GRID)
                axes.plot([ratio.low, ratio.high], [row, row], color=colour, linewidth=2.2)
                axes.plot([ratio.value], [row], "o", color=colour, markersize=5)
            axes.axvline(1.0, color=colour_of(ONNXRUNTIME, GRID), linewidth=1.1)
            axes.set_yticks(range(len(points)), [label for label, _, _ in points], fontsize=9)
            axes.set_ylim(len(points) - 0.4, -0.6)
            axes.set_title(target, loc="left", fontsize=10.5)
            axes.grid(axis="x", color=GRID, alpha=0.35, linewidth=0.6)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        places[-1].xaxis.set_major_locator(MaxNLocator(8))
        places[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        places[-1].set_xlabel("speed, ONNX Runtime = 1; to the right is faster")
        figure.tight_layout()
        told = "; ".join(
            f"{target}, {label}: {one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
            for target, points in targets.items()
            for label, _, one in points
        )
        return stand_alone(inline(figure, "speed", title, told))
