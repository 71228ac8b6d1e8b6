"""Progress for a person at a terminal, one line at a time.

Several jobs of a workflow share one terminal, so each line says whose it is and nothing is
redrawn in place.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def duration(seconds: float) -> str:
    """Seconds as ``m:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def labelled(label: str, text: str) -> str:
    """A line with its label in a column of its own."""
    return f"{label:<34} {text}"


class Progress:
    """Counts work towards a total and says so at most every few seconds.

    Args:
        write: Writes one line to the person.
        label: Stage and subject, such as ``search resnet18``.
        total: Units of work in all.
        unit: What is counted, in the plural.
        done: Units that an earlier, interrupted run has done.
        every: Least seconds between two lines.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        label: str,
        total: int,
        unit: str,
        *,
        done: int = 0,
        every: float = 4.0,
    ) -> None:
        self._write, self._label, self._unit, self._every = write, label, unit, every
        self._total, self._done, self._at_start = total, done, done
        self._started = time.monotonic()
        self._last = 0.0

    def update(self, done: int, detail: str = "", total: int | None = None) -> None:
        """Set the work done so far.

        Args:
            done: Units of work done.
            detail: What is being worked on, and how well it goes.
            total: Units of work in all, where there are fewer than was thought.
        """
        self._done = done
        if total is not None:
            self._total = total
        now = time.monotonic()
        if now - self._last < self._every and done < self._total:
            return
        self._last = now
        self._write(self.line(now - self._started, detail))

    def line(self, elapsed: float, detail: str = "") -> str:
        """The line for ``elapsed`` seconds of this run."""
        fresh = self._done - self._at_start
        left = max(0, self._total - self._done)
        parts = [labelled(self._label, f"{self._done}/{self._total} {self._unit}")]
        if detail:
            parts.append(detail)
        if fresh > 0 and left > 0:
            parts.append(f"{duration(elapsed * left / fresh)} left")
        elif left == 0:
            parts.append(f"done in {duration(elapsed)}")
        return " | ".join(parts)
