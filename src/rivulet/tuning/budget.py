"""How much a session may still measure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol


class Budget(Protocol):
    """Tells how much is left."""

    def left(self, measured: int) -> int:
        """Candidates that may still be measured in one batch; 0 ends the session.

        Args:
            measured: New candidates measured so far.
        """


class NoLimit:
    """The budget of a strategy that ends by itself."""

    def left(self, measured: int) -> int:
        """More than any batch has."""
        return sys.maxsize


class TrialBudget:
    """A number of candidates, failed ones included.

    Args:
        trials: How many.
        milestones: Smaller budgets at which the log is to be what a session with that budget
            leaves: no batch goes across one.

    Attributes:
        trials: See above.
        steps: All of these numbers, the least first.
    """

    def __init__(self, trials: int, milestones: Sequence[int] = ()) -> None:
        self.trials = trials
        self.steps = sorted({trials, *(number for number in milestones if number < trials)})

    def left(self, measured: int) -> int:
        """Candidates up to the next milestone."""
        return next((step - measured for step in self.steps if step > measured), 0)
