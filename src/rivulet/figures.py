"""Figures as a person reads them, in a terminal or a page."""

from __future__ import annotations

import math


def decimals(value: float, digits: int) -> int:
    """Decimals that leave a number so many significant digits, but at most nine."""
    if value == 0 or not math.isfinite(value):
        return 0
    exponent = int(f"{value:e}".partition("e")[2])
    return min(max(digits - 1 - exponent, 0), 9)


def fixed(value: float, least: int) -> str:
    """A number with so many decimals, or with as many more as three significant digits need."""
    return f"{value:.{max(least, decimals(value, 3))}f}"


def milliseconds(number: float) -> str:
    """Milliseconds, with the unit."""
    return f"{fixed(number, 3)} ms"


def microseconds(number: float) -> str:
    """Microseconds, with the unit."""
    return f"{fixed(number, 1)} us"


def operations(flops: float) -> str:
    """A model's arithmetic in the unit that suits it."""
    return f"{fixed(flops / 1e9, 3)} GFLOP" if flops >= 1e8 else f"{fixed(flops / 1e6, 0)} MFLOP"
