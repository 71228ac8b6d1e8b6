"""How well sources were ranked before anything was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivulet.benchmark.table import MethodRow
from rivulet.errors import UserError
from rivulet.methods import TRANSFER
from rivulet.paths import RANKING
from rivulet.transfer.correlation import Share, agreement, read_ranking


def rankings(paths: list[Path], rows: list[MethodRow]) -> list[dict[str, Any]]:
    """One entry for each ranking.

    Args:
        paths: ``.../{hardware}/transfer/ranking.csv`` files.
        rows: The benchmark table, for what the transfers then reached.

    Returns:
        For each its hardware, rows with the measured share of Ansor's speedup, and how far the
        order agrees with it, beside the order of the transfer-tuning paper.
    """
    found = []
    for path in sorted(paths):
        place = (RANKING + ".csv").parse(path)
        if place is None:
            raise UserError(f"{path}: its folders do not say on which hardware it was made")
        hardware = place["hardware"]
        measured = {
            (r.log, str(r.trials), r.target, r.source): share
            for r in rows
            if r.method == TRANSFER and r.hardware == hardware and (share := _share(r))
        }
        ranked = [(row, measured.get(_key(row))) for row in read_ranking(path)]
        known = [(row, share) for row, share in ranked if share is not None]
        found.append(
            {
                "path": path,
                "hardware": hardware,
                "rows": [(row, share.value if share else None) for row, share in ranked],
                "agreement": agreement([row for row, _ in known], [share for _, share in known]),
            }
        )
    return found


def _share(row: MethodRow) -> Share | None:
    """Share of Ansor's speedup, with the interval of the transfer's own latency."""
    share, latency, interval = row.share_of_ansor_speedup, row.latency_ms, row.interval
    if share is None or not latency or interval is None:
        return None
    return Share(share, share * latency / interval[1], share * latency / interval[0])


def _key(row: dict[str, str]) -> tuple[str, str, str, str]:
    return (row["log"], row["trials"], row["target"], row["source"])
