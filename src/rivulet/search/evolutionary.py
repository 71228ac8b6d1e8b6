"""Proposals for one kernel by MetaSchedule's evolutionary search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivulet.kernels import Kernel
from rivulet.records.names import candidate_name as candidate_name
from rivulet.records.names import measured_schedule

# A batch may hold nothing new, most of all after an interruption, when the population is made of
# what was measured; the strategy does not pick the same twice, so the next batch differs.
_PATIENCE = 8
_UNBOUNDED = 1 << 30  # budgets are the caller's business


@dataclass(frozen=True)
class Proposal:
    """A candidate as the search strategy made it.

    Attributes:
        candidate: MetaSchedule's ``MeasureCandidate``.
        name: Structural hash of the scheduled kernel, hexadecimal.
    """

    candidate: Any
    name: str

    @property
    def module(self) -> Any:
        """The scheduled module."""
        return self.candidate.sch.mod

    @property
    def trace(self) -> Any:
        """Trace of the schedule."""
        return self.candidate.sch.trace


class EvolutionaryProposer:
    """Proposes schedules of one kernel and learns from their measurements.

    Args:
        kernel: The kernel.
        target: TVM target.
        settings: The config's ``search`` settings.
        database: Where measured schedules of the kernel are; the population starts from them.
        cost_model: MetaSchedule cost model, shared by all kernels of the model.
        threads: Threads for evolving; no kernel runs meanwhile.
        seed: Seed of this kernel's proposals.
    """

    def __init__(
        self,
        kernel: Kernel,
        target: Any,
        settings: dict[str, Any],
        database: Any,
        cost_model: Any,
        threads: int,
        seed: int,
    ) -> None:
        self.kernel = kernel
        self._settings, self._database, self._cost_model = settings, database, cost_model
        self._target, self._threads, self._seed = target, threads, seed
        self._spaces: Any = None
        self._evolving: Any = None
        self.context: Any = None

    def propose(self, count: int, first: bool, known: set[str]) -> list[Proposal]:
        """Up to ``count`` new candidates, best predicted first; none when the space is exhausted.

        Args:
            count: How many are wanted.
            first: It is the kernel's first round: with nothing measured there is nothing to
                evolve from, so candidates are sampled, which is much faster.
            known: Names of candidates that were measured before; they are left out.
        """
        strategy = self._open(first, count)
        proposals: dict[str, Proposal] = {}
        for _ in range(_PATIENCE):
            batch = strategy.generate_measure_candidates()
            if batch is None:
                break
            for candidate in batch:
                name = candidate_name(candidate.sch.mod)
                if name not in known and len(proposals) < count:
                    proposals.setdefault(name, Proposal(candidate, name))
            if proposals:
                break
        return list(proposals.values())

    def learn(self, proposals: list[Proposal], latencies: list[float | None]) -> None:
        """Tell the strategy and the cost model what became of proposals (None: failed)."""
        from tvm.s_tir.meta_schedule.runner import RunnerResult

        results = [
            RunnerResult([seconds], None) if seconds is not None else RunnerResult(None, "failed")
            for seconds in latencies
        ]
        candidates = [proposal.candidate for proposal in proposals]
        self.context.search_strategy.notify_runner_results(candidates, results)
        self._cost_model.update(self.context, candidates, results)

    def relearn(self, records: list[Any]) -> list[str]:
        """Train the cost model on records of an earlier run; returns the candidates' names."""
        from tvm.s_tir.meta_schedule import MeasureCandidate
        from tvm.s_tir.meta_schedule.runner import RunnerResult

        self._open(first=True, count=1)
        candidates = [
            MeasureCandidate(measured_schedule(record), record.args_info) for record in records
        ]
        results = [RunnerResult(list(record.run_secs), None) for record in records]
        self._cost_model.update(self.context, candidates, results)
        return [candidate_name(candidate.sch.mod) for candidate in candidates]

    def _open(self, first: bool, count: int) -> Any:
        """The strategy for a first round, or the evolving one, ready to propose."""
        from tvm.s_tir import meta_schedule as ms

        if not first and self._evolving is not None:
            return self._evolving
        settings = self._settings
        population = max(2 * count, 8) if first else settings["population"]
        strategy = ms.search_strategy.EvolutionarySearch(
            population_size=population,
            init_min_unmeasured=max(1, min(50, population // 3)),
            genetic_num_iters=0 if first else settings["generations"],
            genetic_mutate_prob=settings["mutation_probability"],
            eps_greedy=_share(settings["random_share"], settings["batch_size"]),
        )
        self.context = ms.TuneContext(
            mod=self.kernel.module,
            target=self._target,
            space_generator="post-order-apply",
            search_strategy=strategy,
            task_name=self.kernel.task,
            rand_state=self._seed,
            num_threads=self._threads,
        )
        if self._spaces is None:
            self._spaces = self.context.generate_design_space()
        batch = count if first else settings["batch_size"]
        self.context.pre_tuning(_UNBOUNDED, batch, self._spaces, self._database, self._cost_model)
        if not first:
            self._evolving = self.context.search_strategy
        return self.context.search_strategy


def _share(share: float, batch: int) -> float:
    """MetaSchedule rounds the number of random picks down, to none in a small batch."""
    return max(share, 1 / batch + 1e-9) if share > 0 else 0.0
