"""The descents of one kernel: where they begin, what was measured, and what is best so far."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.droplet.descent import SAME_CODE, Acceptance, Descent
from rivulet.droplet.ordering import ScheduleOrder
from rivulet.droplet.settings import DropletSettings
from rivulet.droplet.source import SourceKernel
from rivulet.droplet.walk import Walk
from rivulet.measure.protocol import Measurement
from rivulet.records.log import record_latency
from rivulet.schedules.axes import Values
from rivulet.schedules.kernel_space import KernelSpace
from rivulet.tuning import Batch, Candidate, Role, Session
from rivulet.tuning.race import race
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import Postprocessing, ReplayFailure, decisions, replay

# A starting point is at most this much slower than the best, and differs in so many decisions.
_FARTHEST_START = 1.5
_LEAST_DIFFERENT = 3
# Records within this of the best may be the best: which one is, is measured first.
_CLOSE = 1.05
_CLOSEST = 4
# What a kernel's first round is expected to gain, as a share of its latency, and what weight that
# expectation keeps beside what each round has gained.
_FIRST_GAIN = 0.03
_MEMORY = 0.7
_RESTART_WORTH = 0.3


@dataclass
class Start:
    """A schedule that a descent may begin from.

    Attributes:
        schedule: The scheduled kernel.
        seconds: Its latency as the log has it.
    """

    schedule: Any
    seconds: float


class KernelDescent:
    """Descends from one starting point of a kernel after the other.

    The first descent begins at the log's best schedule, or at what `choose_start` has found to be
    faster; the later ones at others that are unlike it. What a later one finds replaces
    the best if it is significantly faster.

    Args:
        kernel: The kernel.
        source: What the log has of it.
        target: TVM target.
        settings: Budget and acceptance.
        bench: Measures schedules.
        threads: Threads for applying schedules.
        order: Tells which neighbours are promising.
        logger: Told of moves.

    Attributes:
        kernel: The kernel.
        begun: The log's best schedule; None where it has none that can be replayed.
        log_latency: Its latency in seconds as the log has it.
        best: The best schedule so far.
        latency: Its latency in seconds: what the log says of `begun`, times what was gained.
        history: The best schedule after each move, with the model's candidates measured by then.
        trials: New candidates measured.
        finished: Whether nothing is left to do.
    """

    def __init__(
        self,
        place: int,
        source: SourceKernel,
        settings: DropletSettings,
        session: Session,
        *,
        order: ScheduleOrder,
    ) -> None:
        kernel = session.kernels[place]
        self.place, self.kernel, self._settings = place, kernel, settings
        self._session, self._order, self._logger = session, order, session.logger
        self._postprocessing = Postprocessing(kernel.module, session.target)
        self._acceptance = Acceptance(settings.significance, settings.confirm_repeats)
        seed = zlib.crc32(f"{settings.seed} {kernel.workload}".encode())
        self._random = random.Random(seed)
        starts = self._replayed(source.records)
        self.begun: Any = starts[0].schedule if starts else None
        self.best: Any = self.begun
        self.log_latency = self.latency = starts[0].seconds if starts else math.inf
        session.states[place].reckon(self.latency)
        self.trials = 0
        self.finished = not starts
        self.history: list[tuple[int, Any]] = []
        self._close = [s for s in starts[1:] if s.seconds <= _CLOSE * self.latency][:_CLOSEST]
        self._others = self._diverse(starts)
        self._known = dict(source.known)
        self._expected = _FIRST_GAIN
        self._descent: Descent | None = None
        self._space: KernelSpace | None = None
        # Of the present descent's own incumbent: the best itself, but for later descents.
        self._own_latency = self.latency
        self._first = True

    @property
    def moves(self) -> int:
        """How often the best has changed."""
        return len(self.history)

    @property
    def worth(self) -> float:
        """Seconds of the model that another round may save: its share times what is expected.

        Negative where nothing is left to do.
        """
        if self.finished:
            return -1.0
        later = 1.0 if self._first else _RESTART_WORTH
        return self.kernel.weight * self.latency * self._expected * later

    def propose(self, count: int) -> Batch:
        """Up to ``count`` new candidates, after the incumbent; there may be none."""
        if self._descent is None:
            self._begin()
        assert self._descent is not None
        assert self._space is not None
        points = self._descent.propose(count)
        if not points:
            return Batch((), self.place)
        incumbent, *others = self._space.apply([self._descent.walk.point, *points])
        candidates = [Candidate(self.place, incumbent.schedule, incumbent.name, Role.CONFIRM)]
        candidates += [Candidate(self.place, one.schedule, one.name) for one in others]
        return Batch(candidates, self.place, {self.place: self._own_latency})

    def learn(self, candidates: Sequence[Candidate], results: Sequence[Measurement]) -> None:
        """Learn the look at what was proposed, and move where one is faster."""
        assert self._descent is not None
        before = self.latency
        # Measured: from another incumbent it is neither new nor does its time compare.
        self._known.update((one.name, math.inf) for one in candidates[1:])
        if results and results[0].samples:
            # On the log's own scale, on which the incumbent has the latency that was reckoned.
            scale = self._own_latency / results[0].latency
            seconds = [result.latency * scale for result in results[1:]]
            schedules = [one.schedule for one in candidates[1:]]
            self._order.learn(self.kernel.task, schedules, seconds)
        done = self._descent.conclude(results)
        self.trials += done.measured
        self._own_latency *= done.ratio
        if done.ratio < 1.0 and self._first:
            self._take(self._incumbent(), done.ratio)
        if done.ended:
            self.settle()
            self._descent, self._first = None, False
            self.finished = not self._others
        gained = 1 - self.latency / before
        self._expected = _MEMORY * self._expected + (1 - _MEMORY) * gained

    def choose_start(self) -> None:
        """Find out which of the log's best schedules is fastest when they are interleaved.

        The log's best is the luckiest of many; one of those close behind may be faster.
        """
        pool = [self.best, *(start.schedule for start in self._close)]
        if len(pool) > 1:
            self._race(pool)

    def settle(self) -> None:
        """Compare what a later descent has found with the best."""
        if self._first or self._descent is None or not self._descent.walk.moves:
            return
        self._race([self.best, self._incumbent()])

    def _begin(self) -> None:
        """Begin the first descent, or the next one."""
        if self._first:
            schedule, self._own_latency = self.best, self.latency
        else:
            start = self._others.pop(0)
            schedule, self._own_latency = start.schedule, start.seconds
        self._space = KernelSpace(
            self.kernel, schedule.trace, self._postprocessing, self._session.threads
        )
        self._known[candidate_name(schedule.mod)] = math.inf
        walk = Walk(self._space.space, self._space.start, self._random)
        self._descent = Descent(walk, self, self._acceptance, self._scores, logger=self._logger)

    def _race(self, schedules: Sequence[Any]) -> None:
        """Race schedules against the best, which comes first, and take the winner."""
        outcome = race(
            lambda numbers, rounds: self._in_turns([schedules[n] for n in numbers], rounds),
            len(schedules) - 1, self._settings.significance, self._settings.confirm_repeats,
            logger=self._logger,
        )  # fmt: skip
        if outcome.winner is not None:
            self._take(schedules[outcome.winner], outcome.ratio)

    def _take(self, schedule: Any, ratio: float) -> None:
        """Make a schedule the best.

        Latencies are relative to the incumbent's of the same minute: moves are measured at
        different times, and a machine that has slowed down must not make an earlier move seem
        the better one.
        """
        self.best = schedule
        self.history.append((self._session.measured, schedule))
        self._logger.info(
            "%s: move from %.2f to %.2f us", self.kernel.task, self.latency * 1e6,
            self.latency * ratio * 1e6,
        )  # fmt: skip
        self.latency *= ratio
        self._session.states[self.place].reckon(self.latency)

    def _incumbent(self) -> Any:
        assert self._descent is not None
        assert self._space is not None
        return self._space.apply([self._descent.walk.point])[0].schedule

    # What the descent measures with.

    def known(self, points: Sequence[Values]) -> list[float | None]:
        """See `rivulet.droplet.descent.PointBench`."""
        assert self._space is not None
        assert self._descent is not None
        incumbent, *applied = self._space.apply([self._descent.walk.point, *points])
        found: list[float | None] = []
        for one in applied:
            if one.schedule is None:
                found.append(math.inf)
            elif one.name == incumbent.name:
                found.append(SAME_CODE)
            elif (seconds := self._recall(one.name)) is not None:
                found.append(seconds / self._own_latency)
            else:
                found.append(None)
                self._known[one.name] = math.nan  # to be measured, once
        return found

    def _recall(self, name: str) -> float | None:
        """Seconds of a candidate that was measured; infinite for one that has no time of use."""
        if name in self._known:
            return self._known[name]
        found = self._session.recorder.known(self.kernel.task, name)
        return found.latency if found else None

    def in_turns(self, points: Sequence[Values], rounds: int) -> list[Measurement]:
        """See `rivulet.droplet.descent.PointBench`."""
        assert self._space is not None
        return self._in_turns([one.schedule for one in self._space.apply(points)], rounds)

    def _in_turns(self, schedules: Sequence[Any], rounds: int) -> list[Measurement]:
        again = [
            Candidate(self.place, one, candidate_name(one.mod), Role.CONFIRM) for one in schedules
        ]
        return self._session.in_turns(again, rounds)

    def _scores(self, points: Sequence[Values]) -> Sequence[float]:
        """The cost model's scores; invalid points come last and cost nothing."""
        assert self._space is not None
        applied = self._space.apply(points)
        valid = [one.schedule for one in applied if one.schedule is not None]
        scores = iter(self._order.scores(valid))
        return [next(scores) if one.schedule is not None else -math.inf for one in applied]

    def _replayed(self, records: Sequence[Any]) -> list[Start]:
        """Starting points, fastest first; a record that no longer applies is left out."""
        starts: list[Start] = []
        for record in records:
            try:
                schedule = replay(self.kernel.module, record.trace, self._postprocessing, 1)
            except ReplayFailure as failure:
                self._logger.info("%s: a record is left out: %s", self.kernel.task, failure)
                continue
            starts.append(Start(schedule, record_latency(record)))
        return starts

    def _diverse(self, starts: list[Start]) -> list[Start]:
        """Starting points after the first that are unlike each other and not far slower."""
        chosen = starts[:1]
        for start in starts[1:]:
            if len(chosen) == self._settings.starts:
                break
            near = start.seconds <= _FARTHEST_START * starts[0].seconds
            if near and all(_differences(start, one) >= _LEAST_DIFFERENT for one in chosen):
                chosen.append(start)
        return chosen[1:]


def _differences(one: Start, other: Start) -> int:
    """In how many decisions two schedules differ; many where their structures do."""
    ours, theirs = (decisions(start.schedule.trace) for start in (one, other))
    if [d.kind for d in ours] != [d.kind for d in theirs]:
        return max(len(ours), len(theirs))
    return sum(a.value != b.value for a, b in zip(ours, theirs, strict=True))
