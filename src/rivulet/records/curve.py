"""How good a search was when: the model's latency over search time and trials, from its log."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rivulet.errors import UserError


@dataclass(frozen=True)
class Progress:
    """A moment of a search.

    Attributes:
        seconds: Measuring time so far.
        trials: Candidates measured so far.
        model_ms: Weighted sum of the kernels' best latencies, in milliseconds.
    """

    seconds: float
    trials: int
    model_ms: float


class Curve:
    """Best model latency so far over a search, from the moment when every kernel has one.

    Args:
        moments: In the order of the log.

    Attributes:
        moments: Those at which it got better.
        seconds: Measuring time of the whole search.
    """

    def __init__(self, moments: Iterable[Progress]) -> None:
        self.moments: list[Progress] = []
        self.seconds = 0.0
        for moment in moments:
            self.seconds = max(self.seconds, moment.seconds)
            if not self.moments or moment.model_ms < self.moments[-1].model_ms:
                self.moments.append(moment)

    def at(self, seconds: float) -> float | None:
        """Model latency (ms) after so much search; None while a kernel had no schedule yet."""
        reached = [m.model_ms for m in self.moments if m.seconds <= seconds]
        return reached[-1] if reached else None

    def after(self, trials: int) -> Progress | None:
        """The last moment with no more trials; None while a kernel had no schedule yet."""
        return next((m for m in reversed(self.moments) if m.trials <= trials), None)

    def reach(self, model_ms: float) -> Progress | None:
        """The first moment with a latency as low; None when the search never got there."""
        return next((m for m in self.moments if m.model_ms <= model_ms), None)


def read_curve(path: Path) -> Curve:
    """Curve of a ``trials.csv``, without mending it.

    Raises:
        UserError: It is not readable as such.
    """
    try:
        with path.open(newline="") as stream:
            return Curve(
                Progress(float(row["elapsed_s"]), count, float(row["model_ms"]))
                for count, row in enumerate(csv.DictReader(stream), 1)
                if row["model_ms"]
            )
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: not readable as the trials of a search ({error}); delete it, and the "
            "workflow makes it again"
        ) from error
