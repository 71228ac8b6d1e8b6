"""The figure of what droplet search gains, by how long Ansor searched before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from rivulet.droplet.study import GainRow, Stated
from rivulet.report.svg import GRID, STYLE, inline, stand_alone

LOG_RANGE = 4  # most over fewest trials above which a linear axis would squeeze the short searches

Panel = tuple[str, Callable[[GainRow], Stated | None]]
_PANELS: tuple[Panel, ...] = (
    ("Ansor before droplet", lambda row: row.over_before),
    ("Ansor gone on for as many trials", lambda row: row.over_equal_trials),
    ("Ansor gone on for as many seconds", lambda row: row.over_equal_seconds),
)
# Legible on white and on near-black alike; the marks tell models apart without colours too.
_COLOURS = ("#3b82d0", "#d9822b", "#2f9e62", "#c2456b", "#a06cd5", "#8f8a1c")
_MARKS = "osD^vPX"
_TICK_GAP = 0.07  # of the axis: what a number of trials needs to be legible


def gain_chart(rows: Sequence[GainRow], title: str) -> str:
    """Gain over Ansor's trials, and over as much more search, as an SVG file of its own.

    Args:
        rows: Of one hardware; each model is drawn with its largest droplet budget.
        title: What it shows, for those who do not see it.
    """
    return stand_alone(inline_gain_chart("gain", title, rows))


def inline_gain_chart(name: str, title: str, rows: Sequence[GainRow]) -> str:
    """The same to stand inside the page.

    Args:
        name: Names the figure within the page; ids begin with it.
        title: What it shows, for those who do not see it.
        rows: Of one hardware; each model is drawn with its largest droplet budget.
    """
    lines = _largest_budgets(rows)
    drawn = [p for p in _PANELS if any(p[1](row) for own in lines.values() for row in own)]
    panels = drawn or list(_PANELS[:1])
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        height = 0.6 + 2.0 * len(panels) + 0.2 * len(lines)
        figure = Figure(figsize=(6.0, height), layout="constrained")
        places = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(places, panels, strict=True):
            _draw_panel(axes, panel, lines)
        _trial_axis(places[-1], sorted({r.ansor_trials for own in lines.values() for r in own}))
        if drawn:
            # Above the panels: names beside them would leave the panels little width.
            figure.legend(*_legend(places), loc="outside upper left", frameon=False, fontsize=9)
        return inline(figure, name, title, _told(drawn, lines))


def _largest_budgets(rows: Sequence[GainRow]) -> dict[str, list[GainRow]]:
    """Rows of each model with its largest droplet budget, by the label of its line.

    Droplet search may end before its budget at some trial counts.
    """
    lines = {}
    for model in sorted({row.model for row in rows}):
        largest: dict[int, GainRow] = {}
        for row in sorted((r for r in rows if r.model == model), key=lambda r: r.droplet_trials):
            largest[row.ansor_trials] = row
        own = [largest[trials] for trials in sorted(largest)]
        budgets = sorted({row.droplet_trials for row in own})
        span = f"{budgets[0]}" if len(budgets) == 1 else f"{budgets[0]} to {budgets[-1]}"
        lines[f"{model}, {span} droplet trials"] = own
    return lines


def _draw_panel(axes: Any, panel: Panel, lines: dict[str, list[GainRow]]) -> None:
    heading, ratio = panel
    for number, (label, rows) in enumerate(lines.items()):
        points = [(row.ansor_trials, one) for row in rows if (one := ratio(row))]
        if not points:
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        # Rounding may put a median just outside its interval; whiskers have no negative length.
        whiskers = (
            [max(one.value - one.low, 0.0) for _, one in points],
            [max(one.high - one.value, 0.0) for _, one in points],
        )
        axes.errorbar(
            [trials for trials, _ in points], [one.value for _, one in points], yerr=whiskers,
            fmt=f"-{_MARKS[number % len(_MARKS)]}", color=colour, markersize=4.5, capsize=3,
            linewidth=1.4, label=label,
        )  # fmt: skip
    axes.axhline(1.0, color="black", linewidth=0.9)
    axes.set_title(f"against {heading}", loc="left", fontsize=10)
    axes.set_ylabel("Ansor ÷ droplet")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color=GRID, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)


def _trial_axis(axes: Any, trials: list[int]) -> None:
    logarithmic = bool(trials) and trials[-1] > LOG_RANGE * trials[0] > 0
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlabel(f"trials of Ansor before{', logarithmic' if logarithmic else ''}")
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = _legible(axes, trials)
    axes.set_xticks(ticks, [str(one) for one in ticks])


def _legible(axes: Any, trials: list[int]) -> list[int]:
    """Those trial counts, the largest first, whose numbers would not run into each other."""
    to_axis = axes.transData + axes.transAxes.inverted()
    kept: dict[int, float] = {}
    for one in reversed(trials):
        place = to_axis.transform((one, 1.0))[0]
        if all(other - place >= _TICK_GAP for other in kept.values()):
            kept[one] = place
    return list(kept)


def _legend(places: Any) -> tuple[list[Any], list[str]]:
    """Each model once, though not every panel need have it."""
    found: dict[str, Any] = {}
    for axes in places:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _told(panels: list[Panel], lines: dict[str, list[GainRow]]) -> str:
    said = []
    for heading, ratio in panels:
        for label, rows in lines.items():
            points = [
                f"{one.value:.3g} ({one.low:.3g}–{one.high:.3g}) at {row.ansor_trials} trials"
                for row in rows
                if (one := ratio(row))
            ]
            if points:
                said.append(f"{label}, against {heading}: {', '.join(points)}")
    return "; ".join(said) or "nothing measured"
