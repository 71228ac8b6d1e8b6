"""Search all kernels of a model: which one gets the next batch, and from which proposer."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

from rivulet.errors import UserError
from rivulet.figures import microseconds
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import Measurement
from rivulet.records.failures import kernels_without_schedule
from rivulet.schedules.design_space import NoDesignSpace
from rivulet.schedules.space import REGISTER_TILES, space_tiles
from rivulet.search.evolutionary import RELEARNED, EvolutionaryProposer, Proposal
from rivulet.search.settings import SearchSettings
from rivulet.tuning import Batch, Candidate, Session, Strategy, TrialBudget
from rivulet.tuning.budget import Budget
from rivulet.tuning.cost_model import make_cost_model
from rivulet.tuning.scheduler import GradientScheduler, first_round_size


class EvolutionarySearch(Strategy):
    """Ansor's search (Zheng et al., OSDI 2020): a proposer for each kernel, under one scheduler.

    A log that holds trials already is continued: they count towards the budget, no candidate is
    measured twice, and the cost model is trained on them first. Trials of other strategies that
    the log begins with count as well, which makes it a warm start.

    Args:
        settings: See there.
        first_round: Trials that each kernel gets before the scheduler decides; by default as
            the smallest of the budget's steps allows.
        space: The hardware's search space, ``register-tiles`` or ``stock``.
    """

    name = "evolutionary"

    def __init__(
        self,
        settings: SearchSettings,
        *,
        first_round: int | None = None,
        space: str = REGISTER_TILES,
    ) -> None:
        self._settings, self._first_round, self._space = settings, first_round, space
        self._spaceless: dict[str, str] = {}  # kernels without a design space, and why
        self._known: list[set[str]] = []
        self._proposers: list[EvolutionaryProposer] = []
        self._unvisited: list[int] = []
        self._current = 0
        self._scheduler: GradientScheduler | None = None

    def start(self, session: Session, budget: Budget) -> None:
        """Make the proposers, and train them on what the log holds."""
        self.session = session
        settings, kernels = self._settings, session.kernels
        if self._first_round is None:
            least = budget.steps[0] if isinstance(budget, TrialBudget) else session.measured
            self._first_round = first_round_size(least, len(kernels), settings.batch_size)
        cost_model = make_cost_model(settings.cost_model, settings.seed, session.threads)
        tiles = {
            dtype: space_tiles(self._space, session.target, session.threads, dtype)
            for dtype in {kernel.dtype for kernel in kernels}
        }
        self._known = [set() for _ in kernels]
        self._proposers = [
            EvolutionaryProposer(
                place,
                kernel,
                session.target,
                settings,
                tiles=tiles[kernel.dtype],
                cost_model=cost_model,
                threads=session.threads,
                seed=_seed(settings.seed, kernel, session.measured),
            )
            for place, kernel in enumerate(kernels)
        ]
        self._resume()
        session.recorder.begin()
        order = sorted(
            range(len(kernels)), key=lambda place: -kernels[place].flops * kernels[place].weight
        )
        self._unvisited = [place for place in order if not session.states[place].history]

    def propose(self, most: int) -> Batch | None:
        """A batch of the kernel whose turn it is."""
        while self._unvisited:
            assert self._first_round is not None
            batch = self._round(self._unvisited.pop(0), min(self._first_round, most), first=True)
            if batch is not None:
                return batch
        if self._scheduler is None:
            self._require_a_valid_trial()
            self._scheduler = GradientScheduler(
                self.session.states,
                self._settings.scheduler_alpha,
                self._settings.scheduler_window,
            )
        while (chosen := self._scheduler.choose()) is not None:
            batch = self._round(chosen, min(self._settings.batch_size, most), first=False)
            if batch is not None:
                return batch
        self.session.logger.warning(
            "every schedule that the search can reach was measured; it ends after %d trials",
            self.session.measured,
        )
        return None

    def learn(self, candidates: Sequence[Candidate], results: Sequence[Measurement]) -> None:
        """Have the kernel's proposer learn the batch."""
        proposals = [one for one in candidates if isinstance(one, Proposal)]
        if proposals:
            place = proposals[0].kernel
            self._known[place] |= {one.name for one in proposals}
            latencies = [result.latency if result.samples else None for result in results]
            self._proposers[place].learn(proposals, latencies)

    def finish(self) -> None:
        """Nothing is left to confirm; see whether anything could be searched."""
        self._require_a_valid_trial()

    def standing(self) -> tuple[int, str]:
        """Trials, and the kernel of the last batch."""
        place = self._current
        state, task = self.session.states[place], self.session.kernels[place].task
        best = "none valid yet"
        if math.isfinite(state.best):
            best = f"best {microseconds(state.best * 1e6)}"
        text = f"{short_name(task)} ({place + 1}/{len(self.session.kernels)}) {best}"
        return self.session.measured, " | ".join(filter(None, (text, self.session.model_text())))

    def remarks(self) -> list[str]:
        """A line on each kernel that no valid schedule was found of, and why."""
        tasks = [kernel.task for kernel in self.session.kernels]
        return kernels_without_schedule(tasks, self.session.log.trials, self._spaceless)

    def _round(self, place: int, count: int, first: bool) -> Batch | None:
        """A batch of one kernel; None where nothing can be proposed for it."""
        self._current = place
        kernel, state = self.session.kernels[place], self.session.states[place]
        try:
            proposals = self._proposers[place].propose(count, first, self._known[place])
        except NoDesignSpace as reason:
            self._spaceless[kernel.task] = str(reason)
            state.exhausted = True
            return None
        if not proposals and not first:
            state.exhausted = True
            self.session.logger.info("%s: no new schedule left to try", kernel.task)
            return None
        return Batch(proposals, place)

    def _require_a_valid_trial(self) -> None:
        """A search in which nothing ever runs has a cause outside the schedules."""
        kernels = self.session.kernels
        if kernels and len(self._spaceless) == len(kernels):
            name, reason = next(iter(self._spaceless.items()))
            raise UserError(f"no kernel has a design space; {short_name(name)}: {reason}")
        self.session.require_a_valid_trial()

    def _resume(self) -> None:
        """Rebuild the search's state from the log."""
        log, states = self.session.log, self.session.states
        if not log.trials:
            return
        place_of = {kernel.task: place for place, kernel in enumerate(self.session.kernels)}
        last_batch: dict[int, int] = {}
        for trial in log.trials:
            place = place_of[trial.kernel]
            best = float(trial.best_us) * 1e-6 if trial.best_us else math.inf
            if last_batch.get(place) == trial.batch:
                states[place].history[-1] = best
            else:
                states[place].history.append(best)
            states[place].reckon(best)
            last_batch[place] = trial.batch
            self._known[place].add(trial.candidate)
        self.session.logger.info("continuing after %d trials", len(log.trials))
        share = max(1, RELEARNED // len(self.session.kernels))
        for kernel, proposer in zip(self.session.kernels, self._proposers, strict=True):
            if records := log.best_records(kernel, len(log.database)):
                proposer.relearn(records, share)


def _seed(seed: int, kernel: Kernel, trials_done: int) -> int:
    """Each kernel its own stream, and another one after each interruption."""
    return zlib.crc32(f"{seed} {kernel.workload} {trials_done}".encode()) % (2**31 - 2) + 1
