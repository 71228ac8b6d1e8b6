"""One ratio from several tables.

A target's own methods are timed again in the table of each of its pairs, minutes apart. Each table
is then one observation of their ratio, so that the interval is that of the benchmark repeated, and
not of one benchmark's minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rivulet.benchmark.table import MethodRow
from rivulet.measure.ratios import Ratio
from rivulet.measure.statistics import geometric_interval

_REPEATED = 3  # tables from which on their spread says more than each one's own interval


def combined(rows: Sequence[MethodRow], column: str, confidence: float) -> Ratio | None:
    """A ratio over several tables; None where none has it.

    With three tables or more it is the geometric mean of theirs with Student's interval, each
    table an observation; two have the geometric mean and both intervals' hull, and one its own.

    Args:
        rows: One of each table.
        column: Such as ``share_of_ansor_speedup``; its ends are beside it.
        confidence: Of the interval, such as 0.95.
    """
    names = (column, f"{column}_low", f"{column}_high")
    known = [ends for row in rows if None not in (ends := [getattr(row, one) for one in names])]
    if not known:
        return None
    values = [value for value, _, _ in known]
    if len(known) >= _REPEATED:
        return Ratio(*geometric_interval(values, confidence))
    low, high = min(low for _, low, _ in known), max(high for _, _, high in known)
    return Ratio(math.prod(values) ** (1 / len(values)), low, high)
