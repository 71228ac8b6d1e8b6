"""Figures that others published of the same question, to stand beside a run's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rivulet.errors import UserError
from rivulet.tables import columns_of, read_table

UNTUNED, TUNED, MOVED = "untuned", "tuned", "transfer"
_PLAIN, _REFINED = "ansor", "ansor+droplet"


@dataclass(frozen=True)
class EarlierRow:
    """A published latency.

    Attributes:
        logs: Logs behind it: ``ansor`` or ``ansor+droplet``.
        target: The model.
        source: Source of a transfer; otherwise empty.
        method: ``untuned``, ``tuned`` or ``transfer``.
        latency_ms: Its latency.
    """

    logs: str
    target: str
    source: str
    method: str
    latency_ms: float


@dataclass(frozen=True)
class EarlierPair:
    """What was published of a pair; ratios of single latencies, which nobody repeated.

    Attributes:
        of_tuned: The target's tuned latency over the transfer's, from logs without droplet.
        of_untuned: Its untuned latency over the transfer's.
        droplet: The transfer's latency from the log without droplet over that from the log with it.
        droplet_alone: The same of the target's own tuned latencies.
    """

    of_tuned: float
    of_untuned: float
    droplet: float
    droplet_alone: float


def read_earlier(path: Path) -> list[EarlierRow]:
    """Read a table of published latencies.

    Raises:
        UserError: It is not there, or no such table.
    """
    try:
        return read_table(EarlierRow, path)
    except UserError as error:
        names = ", ".join(columns_of(EarlierRow))
        raise UserError(
            f"--earlier {path}: not a table of published latencies, which has the columns {names}"
        ) from error


def earlier_pairs(rows: Sequence[EarlierRow]) -> dict[tuple[str, str], EarlierPair]:
    """Source and target to what was published of the pair, where all of it was."""
    known = {(row.logs, row.method, row.target, row.source): row.latency_ms for row in rows}
    found = {}
    for source, target in sorted({(r.source, r.target) for r in rows if r.method == MOVED}):
        needed = [
            (_PLAIN, UNTUNED, target, ""),
            (_PLAIN, TUNED, target, ""),
            (_REFINED, TUNED, target, ""),
            (_PLAIN, MOVED, target, source),
            (_REFINED, MOVED, target, source),
        ]
        if all(one in known for one in needed):
            untuned, tuned, refined, moved, moved_refined = (known[one] for one in needed)
            found[source, target] = EarlierPair(
                tuned / moved, untuned / moved, moved / moved_refined, tuned / refined
            )
    return found
