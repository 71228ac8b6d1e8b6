"""Numbers and verdicts as the report words them."""

from __future__ import annotations

from collections.abc import Iterable

from rivulet.figures import decimals


def number(value: float | None, digits: int = 3) -> str:
    """A number with some significant digits, never in exponent form; an en dash for none."""
    if value is None:
        return "–"
    return f"{value:.{decimals(value, digits)}f}"


def percent(value: float | None) -> str:
    """A share as a percentage; only a full share is written as 100 %."""
    if value is None:
        return "–"
    text = f"{value * 100:.1f}"
    return f"{'> 99.9' if text == '100.0' and value < 1 else text.removesuffix('.0')} %"


def share(value: float | None) -> str:
    """A ratio that is near one, or far below."""
    return number(value, 2) if value is None or value < 0.1 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 120:
        return f"{number(seconds, 2)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def latency_text(middle: float, low: float, high: float) -> tuple[str, str, str]:
    """Three latencies with equal decimals, enough of them to tell the ends apart."""
    return _with_ends(middle, low, high, decimals(middle, 3))


def ratio_text(middle: float, low: float, high: float) -> tuple[str, str, str]:
    """Three ratios in the same way; those on both sides of one have as many decimals."""
    return _with_ends(middle, low, high, 2)


def interval_text(middle: float, low: float, high: float) -> str:
    """A ratio with its interval, fine enough to tell on which side of one an end lies."""
    middle_text, low_text, high_text = _with_ends(middle, low, high, 3)
    return f"{middle_text} ({low_text}–{high_text})"


def _with_ends(middle: float, low: float, high: float, least: int) -> tuple[str, str, str]:
    for places in range(least, least + 4):
        if f"{low:.{places}f}" != f"{high:.{places}f}" or low == high:
            break
    return (f"{middle:.{places}f}", f"{low:.{places}f}", f"{high:.{places}f}")


def range_text(values: Iterable[float | None], form: str) -> str:
    """The least and the greatest of the values that are there; an en dash for none."""
    present = [v for v in values if v is not None]
    if not present:
        return "–"
    low, high = f"{min(present):{form}}", f"{max(present):{form}}"
    return low if low == high else f"{low}–{high}"


def counted(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
