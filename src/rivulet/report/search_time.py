"""What search time buys: latency over time, and each method beside Ansor at equal time."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from markupsafe import Markup

from rivulet.benchmark.table import MethodRow
from rivulet.methods import ANSOR, TRANSFER, WARM, method_of, moves, place_of
from rivulet.paths import POOL
from rivulet.report.inputs import History, Setting
from rivulet.report.plots import Line, curve_chart

_MOST_TRANSFERS = 8  # curves of transfers in one figure


def search_times(rows: list[MethodRow], histories: list[History]) -> list[dict[str, Any]]:
    """One entry for each hardware and trial count.

    Args:
        rows: The benchmark table.
        histories: Trials of logs and transfers.

    Returns:
        For each the setting, what warm starts saved in words, rows of its table, and the figures
        of its targets.
    """
    settings = sorted({Setting(row.hardware, row.trials) for row in rows})
    served = Counter((r.hardware, r.trials, r.log, r.source) for r in rows if r.method == TRANSFER)
    found = []
    for number, setting in enumerate(settings):
        here = [r for r in rows if (r.hardware, r.trials) == (setting.hardware, setting.trials)]
        own = [h for h in histories if (h.hardware, h.trials) == (setting.hardware, setting.trials)]
        found.append(
            {
                "setting": setting,
                "said": [text for t in sorted({h.target for h in own}) if (text := _warm(t, own))],
                "rows": [_entry(row, served) for row in _distinct(here)],
                "figures": [
                    _figure(f"time{number}-{place}", target, setting, own)
                    for place, target in enumerate(sorted({h.target for h in own}))
                ],
                "paths": sorted({h.path for h in own}),
            }
        )
    return found


def _warm(target: str, histories: list[History]) -> str:
    """When the search started from the pool had what Ansor's own search ended with."""
    own = {h.method: h.curve for h in histories if h.target == target and not moves(h.method)}
    if WARM not in own or ANSOR not in own or not own[ANSOR].moments:
        return ""
    last = own[ANSOR].moments[-1]
    reached = own[WARM].reach(last.model_ms)
    text = (
        f"{target}: Ansor's search reached {last.model_ms:.3g} ms after {last.trials} trials and "
    )
    text += f"{last.seconds:.0f} s; the search started from the pool "
    if reached is None:
        return f"{text}did not reach that."
    return f"{text}had it after {reached.trials} trials and {reached.seconds:.0f} s."


def _distinct(rows: list[MethodRow]) -> list[MethodRow]:
    """Each search once: a target's own stand in the tables of all of its pairs."""
    seen: dict[tuple[str, ...], MethodRow] = {}
    for row in rows:
        if method_of(row.method).has_log and row.method != ANSOR:
            moved = (row.source, row.log) if moves(row.method) else ("", "")
            seen.setdefault((row.target, row.method, *moved), row)
    return sorted(seen.values(), key=_order)


def _order(row: MethodRow) -> tuple[str, int, str, str, int]:
    """By target and method; what goes on from a transfer stands under the transfer."""
    method = method_of(row.method)
    first = method.goes_on_from if method.moves and method.goes_on_from else method.name
    return (row.target, place_of(first), row.source, row.log, place_of(method.name))


def _entry(row: MethodRow, served: Counter[tuple[str, int, str, str]]) -> dict[str, Any]:
    method = method_of(row.method)
    seconds, match = row.search_seconds, row.ansor_seconds_to_match
    never = match is not None and math.isinf(match)
    sources = row.source_search_seconds
    targets = served[row.hardware, row.trials, row.log, row.source]
    equal = row.ansor_sum_ms_at_equal_time
    shared = method.moves and targets
    return {
        "target": row.target,
        "label": _label(row.method, row.source, f"{row.log} log"),
        "seconds": seconds,
        "sum_ms": row.kernel_sum_ms,
        "ansor_ms": equal,
        "too_early": equal is None and seconds is not None,
        "match": None if never else match,
        "never": never,
        "ratio": _ratio(row) if not never else None,
        "source_seconds": sources if method.source_logs else None,
        "amortised": sources / targets if sources is not None and shared else None,
    }


def _ratio(row: MethodRow) -> float | None:
    """Ansor's time to the same latency over the method's; droplet's is no time of its own."""
    if method_of(row.method).goes_on_from:
        return None
    if not row.ansor_seconds_to_match or not row.search_seconds:
        return None
    return row.ansor_seconds_to_match / row.search_seconds


def _figure(name: str, target: str, setting: Setting, histories: list[History]) -> dict[str, Any]:
    own = [h for h in histories if h.target == target]
    own.sort(key=lambda h: (place_of(h.method), h.source != POOL, h.source, h.log))
    whole = own
    moved = [h for h in own if moves(h.method) and h.curve.moments]
    best = sorted(moved, key=lambda h: h.curve.moments[-1].model_ms)[:_MOST_TRANSFERS]
    own = [h for h in own if not moves(h.method) or h in best or h.source == POOL]
    lines = []
    for one in (h for h in own if h.curve.moments):
        before = _seconds_before(one, whole)
        points = [(max(before + m.seconds, 0.1), m.model_ms) for m in one.curve.moments]
        lines.append(Line(_label(one.method, one.source, one.log), one.method, points))
    title = f"Latency of {target} over search time: {setting}"
    svg = curve_chart(name, title, lines) if lines else ""
    left_out = len(whole) - len(own)
    return {"title": f"{target}: {setting}", "svg": Markup(svg), "left_out": left_out}


def _seconds_before(one: History, histories: list[History]) -> float:
    """Time of the search that a droplet search goes on from; its own log begins where that ends."""
    start = (method_of(one.method).goes_on_from, one.source, one.log)
    found = (h.curve.seconds for h in histories if (h.method, h.source, h.log) == start)
    return next(found, 0.0)


def _label(method: str, source: str, log: str) -> str:
    if not moves(method):
        return method
    return f"from {source}, {log}{method_of(method).ending}"
