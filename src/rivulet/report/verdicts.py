"""What an interval shows, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable

from rivulet.benchmark.table import MethodRow
from rivulet.measure.ratios import SAME

OVER_ANSOR, OVER_RUNTIME = "share_of_ansor_speedup", "speedup_vs_onnxruntime"
OVER_UNTUNED = "speedup_vs_untuned"


def compare(own: MethodRow, other: MethodRow) -> str:
    """``faster``, ``slower`` or no difference shown: different only if intervals do not overlap."""
    ours, theirs = own.interval, other.interval
    if ours is None or theirs is None:
        return ""
    if ours[1] < theirs[0]:
        return "faster"
    return "slower" if ours[0] > theirs[1] else SAME


def verdict(rows: Iterable[MethodRow], column: str) -> str:
    """What a method's ratio to another shows in all pair runs that timed both; they have to agree.

    Args:
        rows: The method's rows.
        column: The ratio's column, such as ``share_of_ansor_speedup``.

    Returns:
        ``faster``, ``slower``, that no difference is shown, or nothing without such a ratio.
    """
    found = set()
    for row in rows:
        low, high = getattr(row, f"{column}_low"), getattr(row, f"{column}_high")
        if low is not None and high is not None:
            found.add("faster" if low > 1 else "slower" if high < 1 else SAME)
    if not found:
        return ""
    return found.pop() if len(found) == 1 else SAME
