"""Refine all kernels of a model: which descent gets the next round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rivulet.droplet.kernel_descent import KernelDescent
from rivulet.droplet.ordering import ScheduleOrder
from rivulet.droplet.settings import DropletSettings
from rivulet.droplet.source import SourceKernel
from rivulet.figures import microseconds, milliseconds
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import Measurement
from rivulet.tuning import Batch, Candidate, Session, Strategy
from rivulet.tuning.budget import Budget
from rivulet.tuning.scheduler import most_promising

# A kernel's best schedules are raced beforehand where it takes this share of the model's latency.
_WORTH_A_RACE = 0.01


class DropletSearch(Strategy):
    """Descends from the best schedules of each kernel.

    The next round goes to the kernel with the largest expected gain: its share of the model's
    latency, times what its rounds have gained lately. A look at a candidate decides nothing here:
    a kernel gets faster by a race.

    Args:
        settings: Budget and acceptance.
        source: What the log that is refined has of each kernel.

    Attributes:
        descents: The descents, one per kernel.
    """

    name = "droplet"
    keeps_schedules = False

    def __init__(self, settings: DropletSettings, source: Mapping[str, SourceKernel]) -> None:
        self._settings, self._source = settings, source
        self.descents: list[KernelDescent] = []
        self._starts: list[KernelDescent] = []
        self._chosen: KernelDescent | None = None

    def start(self, session: Session, budget: Budget) -> None:
        """Find where the descents begin, and replay what was measured of them."""
        super().start(session, budget)
        order = ScheduleOrder(self._source, session.target, self._settings.seed, session.threads)
        self.descents = [
            KernelDescent(
                place,
                self._source.get(kernel.task, SourceKernel()),
                self._settings,
                session,
                order=order,
            )
            for place, kernel in enumerate(session.kernels)
        ]
        least = _WORTH_A_RACE * self._known_seconds()
        self._starts = [
            one
            for one in sorted(self.descents, key=lambda one: -one.worth)
            if one.begun is not None and one.kernel.weight * one.latency >= least
        ]

    def propose(self, most: int) -> Batch | None:
        """A round of the kernel with most to gain, once the starting points are raced."""
        if self._starts:
            self._chosen = None
            begun = self._starts.pop(0)
            begun.choose_start()
            return Batch((), begun.place)
        place = most_promising([one.worth for one in self.descents])
        if place is None:
            return None
        self._chosen = self.descents[place]
        return self._chosen.propose(min(self._settings.neighbours_per_round, most))

    def learn(self, candidates: Sequence[Candidate], results: Sequence[Measurement]) -> None:
        """Have the kernel's descent race what looked fast."""
        if self._chosen is not None:
            self._chosen.learn(candidates, results)

    def finish(self) -> None:
        """Compare what later descents have found with the first one's best."""
        for one in self.descents:
            one.settle()
            self.session.end_batch(one.place)

    def standing(self) -> tuple[int, str]:
        """New candidates, and the kernel of the last round."""
        whole = milliseconds(self._known_seconds() * 1e3)
        chosen = self._chosen
        if chosen is None:
            return self.session.measured, f"model {whole}, racing the log's best"
        name, best = short_name(chosen.kernel.task), microseconds(chosen.latency * 1e6)
        text = f"{name} best {best}, moves: {chosen.moves} | model {whole}"
        return self.session.measured, text

    def _known_seconds(self) -> float:
        """Latency of the kernels that the log has a schedule of."""
        return sum(d.kernel.weight * d.latency for d in self.descents if d.begun is not None)
