"""What a session has measured: written to its log, and answered from there after an interruption.

A strategy is deterministic but for its measurements. So it resumes by being run again from its
beginning on what was recorded, which takes seconds, until the record ends and the device answers.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rivulet.measure.protocol import Measurement, logged_seconds
from rivulet.records import Trial, TuningLog
from rivulet.tuning.candidate import Role


@dataclass(frozen=True)
class Asked:
    """What is to be measured, as a log's row tells it.

    Attributes:
        kernel: Task name.
        strategy: Name of the strategy, with the role.
        candidate: Structural hash of the scheduled kernel.
    """

    kernel: str
    strategy: str
    candidate: str


class Recorder:
    """Answers from a log, and keeps the clock of the work that the log tells of.

    Args:
        log: The log.
        logger: Told where a record is left.
        since: When the work began, ``time.monotonic()``; by default now.

    Attributes:
        measured: New candidates measured so far, those of interrupted runs included.
        batch: Number of the last batch.
    """

    def __init__(self, log: TuningLog, logger: logging.Logger, since: float | None = None) -> None:
        self._log, self._logger = log, logger
        self._left: deque[Trial] = deque()
        self._by_name: dict[tuple[str, str], Measurement] = {}
        self._before = log.elapsed()
        self._started = time.monotonic() if since is None else since
        self.measured = len(log.trials)
        self.batch = max((trial.batch for trial in log.trials), default=0)

    def replay(self) -> None:
        """Answer in order: what is asked has to be what was asked."""
        self._left = deque(self._log.trials)
        self.measured = self.batch = 0
        if self._left:
            self._logger.info(
                "running again on the %d measurements of the log", len(self._log.trials)
            )

    def recall(self) -> None:
        """Answer by name, whatever is asked first; what was confirmed is confirmed again."""
        for trial in self._log.trials:
            if not trial.strategy.endswith(Role.CONFIRM):
                self._by_name.setdefault((trial.kernel, trial.candidate), _measurement(trial))

    def begin(self) -> None:
        """Start the clock anew: what was done by now an uninterrupted run would not have done."""
        self._started = time.monotonic()

    @property
    def replaying(self) -> bool:
        """Whether answers still come from the log, in order."""
        return bool(self._left)

    @property
    def elapsed(self) -> float:
        """Seconds of measuring time, those of interrupted runs included.

        Running again on the record is none: an uninterrupted run would not have done it.
        """
        return self._before + (0.0 if self.replaying else time.monotonic() - self._started)

    def known(self, kernel: str, candidate: str) -> Measurement | None:
        """The measurement of a candidate that is answered by name.

        Where a record was left because the code that decides has changed in between, these are
        the candidates that were measured and have not been asked for.
        """
        return self._by_name.get((kernel, candidate))

    def in_order(self, asked: Sequence[Asked], strategy: str) -> list[Measurement] | None:
        """The log's next rows, if they answer what is asked.

        Args:
            asked: What is to be measured now.
            strategy: Name under which the log has new candidates.
        """
        if not self._left:
            return None
        rows = list(itertools.islice(self._left, len(asked)))
        if [Asked(t.kernel, t.strategy, t.candidate) for t in rows] != list(asked[: len(rows)]):
            self._go_another_way(strategy)
        elif len(rows) < len(asked):
            # A kill cut this answer off in the middle of a write.
            self._log.forget(len(rows))
            self._leave_the_record()
        else:
            for _ in rows:
                self._left.popleft()
            if not self._left:
                self._leave_the_record()
            return [_measurement(trial) for trial in rows]
        return None

    def _go_another_way(self, strategy: str) -> None:
        self._logger.warning(
            "the log goes another way from trial %d on; what it has is not measured again",
            self._left[0].trial,
        )
        for trial in self._left:
            if trial.strategy == strategy:
                self.measured += (trial.kernel, trial.candidate) not in self._by_name
                self._by_name[trial.kernel, trial.candidate] = _measurement(trial)
        self._leave_the_record()

    def _leave_the_record(self) -> None:
        self._left.clear()
        self._started = time.monotonic()


def _measurement(trial: Trial) -> Measurement:
    samples = logged_seconds(us * 1e-6 for us in trial.samples)
    return Measurement(samples, trial.error, trial.build_s, trial.run_s)
