"""What droplet search is worth: its effect around transfers, and against more of Ansor's search."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rivulet.droplet.study import (
    AFTER_TRANSFER,
    BEFORE_TRANSFER,
    COMPARISONS,
    OWN_LOG,
    EffectRow,
    GainRow,
    Stated,
)
from rivulet.measure.ratios import BETTER, SAME, WORSE
from rivulet.report.droplet_chart import inline_gain_chart
from rivulet.report.inputs import Setting
from rivulet.report.wording import counted, range_text, ratio_text
from rivulet.tables import read_table

HEADINGS = {
    OWN_LOG: "On the target's own log",
    BEFORE_TRANSFER: "Before the transfer",
    AFTER_TRANSFER: "After the transfer",
}
_ORDER = (BEFORE_TRANSFER, AFTER_TRANSFER, OWN_LOG)  # the question is about transfers
_TRIALS = "with Ansor's search for as many trials"
_SECONDS = "with Ansor's search for as many seconds"


def droplet_worth(gains: list[Path], effects: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """What the section shows.

    Args:
        gains: ``.../{hardware}/droplet_gain.csv`` files.
        effects: ``.../{hardware}/droplet_effect.csv`` files.

    Returns:
        ``effects``, one entry for each hardware and trial count, and ``gains``, one for each
        hardware; a list is empty where its tables have no rows.

    Raises:
        UserError: A table is not readable.
    """
    changed = [(row, path) for path in sorted(effects) for row in read_table(EffectRow, path)]
    gained = [(row, path) for path in sorted(gains) for row in read_table(GainRow, path)]
    settings = sorted({Setting(row.hardware, row.trials) for row, _ in changed})
    return {
        "effects": [
            _effects(s, [(r, p) for r, p in changed if Setting(r.hardware, r.trials) == s])
            for s in settings
        ],
        "gains": [
            _gains(number, hardware, [(r, p) for r, p in gained if r.hardware == hardware])
            for number, hardware in enumerate(sorted({row.hardware for row, _ in gained}))
        ],
    }


# --- Around transfers


def _effects(setting: Setting, changed: list[tuple[EffectRow, Path]]) -> dict[str, Any]:
    rows = [row for row, _ in changed]
    shown = [c for c in COMPARISONS if any(row.comparison == c for row in rows)]
    return {
        "setting": setting,
        "said": _answer(setting, rows),
        "headings": [HEADINGS[comparison] for comparison in shown],
        "rows": [
            {
                "target": target,
                "source": source or "–",
                "cells": [_changed(rows, target, source, comparison) for comparison in shown],
            }
            for target, source in _pairs(rows)
        ],
        "repetitions": range_text([row.repetitions for row in rows], "g"),
        "paths": sorted({path for _, path in changed}),
    }


def _pairs(rows: list[EffectRow]) -> list[tuple[str, str]]:
    """Targets and sources; a target whose own log alone was compared stands without a source."""
    pairs = {(row.target, row.source) for row in rows if row.source}
    served = {target for target, _ in pairs}
    return sorted(pairs | {(row.target, "") for row in rows if row.target not in served})


def _changed(
    rows: list[EffectRow], target: str, source: str, comparison: str
) -> dict[str, str] | None:
    """One comparison of a pair; that of the target's own log may belong to all its pairs."""
    own = {r.source: r for r in rows if (r.target, r.comparison) == (target, comparison)}
    row = own.get(source) or (own.get("") if comparison == OWN_LOG else None)
    return None if row is None else _cell(row.ratio) | {"reason": row.reason}


def _answer(setting: Setting, rows: list[EffectRow]) -> str:
    """In how many pairs droplet search changed something, in words."""
    clauses = []
    for comparison in _ORDER:
        own = [row for row in rows if row.comparison == comparison]
        if not own:
            continue
        place = HEADINGS[comparison]
        what = "pair" if any(row.source for row in own) else "target"
        verdicts = [row.verdict for row in own]
        clauses.append(
            f"{place[0].lower()}{place[1:]} it made {verdicts.count(BETTER)} of "
            f"{counted(len(own), what)} better, {_rest(verdicts)}"
        )
    return f"Droplet search on {setting}: {'; '.join(clauses)}."


def _rest(verdicts: list[str]) -> str:
    """How many verdicts were other than better."""
    text = f"{verdicts.count(WORSE)} worse, {verdicts.count(SAME)} with {SAME}"
    missing = verdicts.count("")
    return f"{text}, {missing} not compared" if missing else text


def _cell(ratio: Stated | None) -> dict[str, str]:
    if ratio is None:
        return {"value": "–", "interval": "", "verdict": ""}
    middle, low, high = ratio_text(ratio.value, ratio.low, ratio.high)
    return {"value": middle, "interval": f"{low}–{high}", "verdict": ratio.verdict}


# --- Over the trials before


def _gains(number: int, hardware: str, gained: list[tuple[GainRow, Path]]) -> dict[str, Any]:
    rows = [row for row, _ in gained]
    rows.sort(key=lambda row: (row.model, row.droplet_trials, row.ansor_trials))
    title = f"Gain of droplet by Ansor's trials before it: {hardware}"
    return {
        "hardware": hardware,
        "said": [
            _gain_answer(rows),
            _more_search(rows, _TRIALS, lambda row: row.over_equal_trials),
            _more_search(rows, _SECONDS, lambda row: row.over_equal_seconds),
        ],
        "title": title,
        "svg": Markup(inline_gain_chart(f"gain{number}", title, rows)),
        "rows": [
            {
                "row": row,
                "gain": _cell(row.over_before),
                "equal_trials": _cell(row.over_equal_trials),
                "equal_seconds": _cell(row.over_equal_seconds),
            }
            for row in rows
        ],
        "paths": sorted({path for _, path in gained}),
    }


def _gain_answer(rows: list[GainRow]) -> str:
    verdicts = [row.gain_verdict for row in rows]
    return (
        f"Droplet made what Ansor's search had reached better in {verdicts.count(BETTER)} of "
        f"{counted(len(rows), 'case')}: {_rest(verdicts)}."
    )


def _more_search(
    rows: list[GainRow], instead: str, ratio: Callable[[GainRow], Stated | None]
) -> str:
    """Where droplet beat spending as much on more search, in words."""
    compared = [(row, one.verdict) for row in rows if (one := ratio(row)) and one.verdict]
    if not compared:
        return f"No log goes far enough to compare droplet to going on {instead}."
    verdicts = [verdict for _, verdict in compared]
    won: dict[tuple[str, int], list[int]] = {}
    for row, verdict in compared:
        if verdict == BETTER:
            won.setdefault((row.model, row.droplet_trials), []).append(row.ansor_trials)
    if not won:
        return (
            f"At no trial count is droplet shown to beat going on {instead}: of "
            f"{counted(len(compared), 'comparison')} none better, {_rest(verdicts)}."
        )
    places = [
        f"{model} after {_listed(trials)} trials ({budget} of droplet)"
        for (model, budget), trials in won.items()
    ]
    return (
        f"Droplet beat going on {instead} in {verdicts.count(BETTER)} of "
        f"{counted(len(compared), 'comparison')} ({_rest(verdicts)}): {'; '.join(places)}."
    )


def _listed(values: Iterable[int]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} and {last}" if others else last
