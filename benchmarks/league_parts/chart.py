"""The league as a figure: our latency over each peer's, model by model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from league_parts.figures import Standing
from league_parts.settings import PEERS
from rivulet.methods import method_of
from rivulet.report.svg import GRID, STYLE, inline, stand_alone

_TICKS = (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)


def write_chart(path: Path, standings: Sequence[Standing]) -> None:
    """Draw the ratios with their intervals to an SVG file; left of 1 we are faster."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "league"}):
        figure = Figure(figsize=(8.4, 1.3 + 0.34 * len(standings)))
        axes = figure.subplots()
        for number, peer in enumerate(PEERS):
            colour, title = method_of(peer).colour, method_of(peer).title
            shift = (number - (len(PEERS) - 1) / 2) * 0.24
            drawn = False
            for row, one in enumerate(standings):
                if ratio := one.ratios.get(peer):
                    axes.plot([ratio.low, ratio.high], [row + shift] * 2, color=colour, linewidth=2)
                    label = None if drawn else f"over {title}"
                    axes.plot(
                        [ratio.value], [row + shift], "o", color=colour, markersize=4.5,
                        label=label,
                    )  # fmt: skip
                    drawn = True
        axes.axvline(1.0, color=GRID, linewidth=1.1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=_TICKS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(standings)), [one.model for one in standings], fontsize=9)
        axes.set_ylim(len(standings) - 0.4, -0.6)
        axes.set_xlabel("our latency over the peer's; left of 1 we are faster")
        axes.grid(axis="x", color=GRID, alpha=0.35, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        if any(one.ratios for one in standings):
            # Above the axes: anywhere within, it would lie on some model's intervals.
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=len(PEERS), frameon=False, fontsize=9
            )
        figure.tight_layout()
        told = "; ".join(
            f"{one.model}, over {method_of(peer).title}: {ratio.value:.2f} "
            f"({ratio.low:.2f} to {ratio.high:.2f})"
            for one in standings
            for peer, ratio in one.ratios.items()
        )
        path.write_text(stand_alone(inline(figure, "league", "Our latency over each peer's", told)))
