"""What a strategy is: it proposes candidates and learns from what was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from rivulet.measure.protocol import Measurement
from rivulet.tuning.budget import Budget
from rivulet.tuning.candidate import Batch, Candidate
from rivulet.tuning.session import Session


class Strategy(ABC):
    """Proposes candidates to a `rivulet.tuning.session.Session`, and learns.

    Attributes:
        name: What the log calls it.
        keeps_schedules: Whether the log's database gets the schedules of valid candidates, and a
            kernel's latency is the least that was measured. A strategy for which a look at a
            candidate decides nothing says when a kernel got faster, and keeps its own schedules.
        session: The session that it works in, once that has started it.
    """

    name: ClassVar[str]
    keeps_schedules: ClassVar[bool] = True
    session: Session

    def start(self, session: Session, budget: Budget) -> None:
        """Get ready, and resume from what the session's log holds.

        By default the log answers, in order, what is proposed again, and the device is asked when
        the record ends.

        Args:
            session: Where candidates are measured.
            budget: How many of them.
        """
        self.session = session
        session.recorder.replay()

    @abstractmethod
    def propose(self, most: int) -> Batch | None:
        """The next candidates to measure; None when there are no more.

        Args:
            most: New candidates that the budget has room for.
        """

    @abstractmethod
    def learn(self, candidates: Sequence[Candidate], results: Sequence[Measurement]) -> None:
        """Learn what was measured of the candidates of the last batch."""

    def finish(self) -> None:  # noqa: B027 (most strategies have nothing to confirm)
        """Confirm what was found, after the last batch."""

    def standing(self) -> tuple[int, str]:
        """How far it is, and a line on that."""
        return self.session.measured, self.session.model_text()

    def remarks(self) -> list[str]:
        """Lines for the person at the end, such as kernels that nothing ran of."""
        return []
