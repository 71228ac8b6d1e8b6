"""How well a ranking of sources agrees with what their transfers then measured."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rivulet.errors import UserError


class Share(NamedTuple):
    """A share of Ansor's speedup, with the ends of its interval."""

    value: float
    low: float
    high: float


def read_ranking(path: Path) -> list[dict[str, str]]:
    """Rows of ``ranking.csv``.

    Raises:
        UserError: It is not readable as such.
    """
    try:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            float(row["expected_share"]), float(row["paper_score"])
        return rows
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: not readable as a ranking of sources ({error}); delete it, and the "
            "workflow makes it again"
        ) from error


def ranking_correlations(
    path: Path, measured: Iterable[tuple[str, str, Share]]
) -> dict[str, float | int | None]:
    """Agreement of the two rankings with measurements, see `agreement`.

    Args:
        path: ``ranking.csv``.
        measured: Source, target and measured share of Ansor's speedup of transfers; pools and
            what the ranking does not hold are left out.
    """
    if not path.exists():
        return {"ours": None, "paper": None, "pairs": 0, "undecided": 0}
    shares = {(source, target): share for source, target, share in measured}
    rows = [r for r in read_ranking(path) if (r["source"], r["target"]) in shares]
    return agreement(rows, [shares[r["source"], r["target"]] for r in rows])


def agreement(
    rows: Sequence[dict[str, Any]], measured: Sequence[Share]
) -> dict[str, float | int | None]:
    """Kendall's tau within targets, of our ranking and of the paper's heuristic.

    Sources are compared for one target at a time: of all pairs of sources of one target, the
    share that is in the measured order less the share that is not, over all targets together.
    Two sources whose intervals overlap are left out: no order was shown.

    Args:
        rows: Rows of the ranking.
        measured: Measured benefit of each, with its interval.

    Returns:
        ``ours`` and ``paper`` from -1 to 1, None where no two sources differ; ``pairs``, the
        number of comparisons behind them, and ``undecided``, of those left out.
    """
    by_target: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        by_target[row["log"], row["trials"], row["target"]].append(number)
    totals = {"expected_share": 0, "paper_score": 0}
    count = undecided = 0
    for numbers in by_target.values():
        for place, first in enumerate(numbers):
            for second in numbers[place + 1 :]:
                truth = _order(measured[first], measured[second])
                if not truth:
                    undecided += 1
                    continue
                count += 1
                for column in totals:
                    difference = float(rows[first][column]) - float(rows[second][column])
                    totals[column] += truth * _sign(difference)
    return {
        "ours": round(totals["expected_share"] / count, 4) if count else None,
        "paper": round(totals["paper_score"] / count, 4) if count else None,
        "pairs": count,
        "undecided": undecided,
    }


def _order(first: Share, second: Share) -> int:
    """1 where the first is larger beyond its interval, -1 where it is smaller, or else 0."""
    return (first.low > second.high) - (first.high < second.low)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
