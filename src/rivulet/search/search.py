"""Search all kernels of a model within a budget of trials."""

from __future__ import annotations

import logging
import math
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from rivulet.errors import UserError
from rivulet.figures import microseconds, milliseconds
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import Measurement, MeasuringBench
from rivulet.records import Trial, TuningLog
from rivulet.records.failures import kernels_without_schedule
from rivulet.records.trials import samples_text, why_nothing_ran
from rivulet.schedules.design_space import NoDesignSpace
from rivulet.schedules.space import REGISTER_TILES, space_tiles
from rivulet.search.cost_model import make_cost_model
from rivulet.search.evolutionary import RELEARNED, EvolutionaryProposer, Proposal
from rivulet.search.scheduler import GradientScheduler, KernelState, first_round_size

STRATEGY = "evolutionary"
Report = Callable[[int, str], None]


def search_model(
    kernels: list[Kernel],
    target: Any,
    trials: int,
    settings: dict[str, Any],
    threads: int,
    log: TuningLog,
    bench: MeasuringBench,
    report: Report,
    logger: logging.Logger,
    milestones: Sequence[int] = (),
    first_round: int | None = None,
    space: str = REGISTER_TILES,
) -> list[str]:
    """Measure ``trials`` candidates in all, recording each batch the moment it is measured.

    A log that holds trials already is continued: they count towards the budget, no candidate is
    measured twice, and the cost model is trained on them first.

    Args:
        kernels: The model's kernels.
        target: TVM target.
        trials: Budget of measured candidates, failed ones included.
        settings: The config's ``search`` settings.
        threads: Threads that kernels and the evolution use.
        log: Where trials and schedules go.
        bench: Measures candidates.
        report: Told the trials done and a line on how it stands.
        logger: Told of failures and of the way the search takes.
        milestones: Smaller budgets at which the log is to be what a search with that budget
            leaves: no batch goes across one.
        first_round: Trials that each kernel gets before the scheduler decides; by default as
            the smallest of the budgets allows.
        space: The hardware's search space, ``register-tiles`` or ``stock``.

    Returns:
        A line on each kernel that no valid schedule was found of, and why.
    """
    budgets = sorted({trials, *(number for number in milestones if number < trials)})
    if first_round is None:
        first_round = first_round_size(budgets[0], len(kernels), settings["batch_size"])
    return _Search(
        kernels,
        target,
        budgets,
        first_round,
        settings,
        threads,
        log,
        bench,
        report,
        logger,
        space,
    ).run()


class _Search:
    def __init__(
        self,
        kernels: list[Kernel],
        target: Any,
        budgets: list[int],
        first_round: int,
        settings: dict[str, Any],
        threads: int,
        log: TuningLog,
        bench: MeasuringBench,
        report: Report,
        logger: logging.Logger,
        space: str,
    ) -> None:
        self._kernels, self._target, self._log = kernels, target, log
        self._budgets, self._budget, self._first_round = budgets, budgets[-1], first_round
        self._settings, self._bench = settings, bench
        self._report, self._logger = report, logger
        cost_model = make_cost_model(settings["cost_model"], settings["seed"], threads)
        tiles = {k.dtype: space_tiles(space, target, threads, k.dtype) for k in kernels}
        self._states = [KernelState(kernel.weight) for kernel in kernels]
        self._known: list[set[str]] = [set() for _ in kernels]
        self._proposers = [
            EvolutionaryProposer(
                kernel, target, settings, tiles[kernel.dtype], cost_model, threads,
                _seed(settings["seed"], kernel, len(log.trials)),
            )
            for kernel in kernels
        ]  # fmt: skip
        self._spaceless: dict[str, str] = {}  # kernels without a design space, and why
        self._batch = 0
        self._started = time.monotonic()
        self._before = 0.0

    def run(self) -> list[str]:
        self._resume()
        self._started, self._before = time.monotonic(), self._log.elapsed()
        order = sorted(
            range(len(self._kernels)),
            key=lambda i: -self._kernels[i].flops * self._kernels[i].weight,
        )
        for index in order:
            if not self._states[index].history:
                self._round(index, self._first_round, first=True)
        self._require_a_valid_trial()
        scheduler = GradientScheduler(
            self._states, self._settings["scheduler_alpha"], self._settings["scheduler_window"]
        )
        while self._left() > 0:
            chosen = scheduler.choose()
            if chosen is None:
                self._logger.warning(
                    "every schedule that the search can reach was measured; it ends after %d of "
                    "%d trials", len(self._log.trials), self._budget,
                )  # fmt: skip
                break
            self._round(chosen, self._settings["batch_size"], first=False)
        tasks = [kernel.task for kernel in self._kernels]
        return kernels_without_schedule(tasks, self._log.trials, self._spaceless)

    def _require_a_valid_trial(self) -> None:
        """A search in which nothing ever runs has a cause outside the schedules."""
        if self._kernels and len(self._spaceless) == len(self._kernels):
            name, reason = next(iter(self._spaceless.items()))
            raise UserError(f"no kernel has a design space; {short_name(name)}: {reason}")
        if problem := why_nothing_ran(self._log.trials, "candidates"):
            raise UserError(problem)

    def _left(self) -> int:
        return self._budget - len(self._log.trials)

    def _left_to_milestone(self) -> int:
        done = len(self._log.trials)
        return next((budget - done for budget in self._budgets if budget > done), 0)

    def _resume(self) -> None:
        """Rebuild the search's state from the log."""
        index_of = {kernel.task: index for index, kernel in enumerate(self._kernels)}
        last_batch: dict[int, int] = {}
        for trial in self._log.trials:
            index = index_of[trial.kernel]
            state = self._states[index]
            best = float(trial.best_us) * 1e-6 if trial.best_us else math.inf
            if last_batch.get(index) == trial.batch:
                state.history[-1] = best
            else:
                state.history.append(best)
            last_batch[index] = trial.batch
            self._known[index].add(trial.candidate)
            self._batch = max(self._batch, trial.batch)
        if self._log.trials:
            self._logger.info("continuing after %d trials", len(self._log.trials))
            share = max(1, RELEARNED // len(self._kernels))
            for kernel, proposer in zip(self._kernels, self._proposers, strict=True):
                if records := self._log.best_records(kernel, len(self._log.database)):
                    proposer.relearn(records, share)

    def _round(self, index: int, count: int, first: bool) -> None:
        """Propose, measure, record and learn from one batch of one kernel."""
        count = min(count, self._left_to_milestone())
        if count <= 0:
            return
        kernel, state = self._kernels[index], self._states[index]
        proposer = self._proposers[index]
        started = time.monotonic()
        try:
            proposals = proposer.propose(count, first, self._known[index])
        except NoDesignSpace as reason:
            self._spaceless[kernel.task] = str(reason)
            state.exhausted = True
            return
        if not proposals and not first:
            state.exhausted = True
            self._logger.info("%s: no new schedule left to try", kernel.task)
            return
        propose_s = (time.monotonic() - started) / max(1, len(proposals))
        results = self._bench.measure([p.module for p in proposals], {0: state.best})
        self._record(index, proposals, results, propose_s)
        if proposals:
            proposer.learn(proposals, [r.latency if r.samples else None for r in results])
        place = f"{short_name(kernel.task)} ({index + 1}/{len(self._kernels)})"
        best = (
            f"best {microseconds(state.best * 1e6)}"
            if math.isfinite(state.best)
            else "none valid yet"
        )
        model = self._model_ms()
        whole = f" | model {milliseconds(model)}" if model is not None else ""
        self._report(len(self._log.trials), f"{place} {best}{whole}")

    def _record(
        self,
        index: int,
        proposals: list[Proposal],
        results: list[Measurement],
        propose_s: float,
    ) -> None:
        kernel, state = self._kernels[index], self._states[index]
        self._batch += 1
        rows: list[Trial] = []
        elapsed = self._before + time.monotonic() - self._started
        state.history.append(state.best)
        for proposal, result in zip(proposals, results, strict=True):
            self._known[index].add(proposal.name)
            if result.samples:
                self._log.commit(
                    kernel, proposal.trace, result.latency, self._target, proposal.arguments,
                    candidate=proposal.name,
                )  # fmt: skip
                state.history[-1] = min(state.best, result.latency)
            else:
                self._logger.info("%s %s: %s", kernel.task, proposal.name, result.error)
            model = self._model_ms()
            rows.append(
                Trial(
                    trial=len(self._log.trials) + len(rows) + 1,
                    elapsed_s=round(elapsed, 3),
                    kernel=kernel.task,
                    batch=self._batch,
                    strategy=STRATEGY,
                    candidate=proposal.name,
                    propose_s=round(propose_s, 4),
                    build_s=round(result.build_seconds, 4),
                    run_s=round(result.run_seconds, 4),
                    samples_us=samples_text(result.samples),
                    error=result.error,
                    best_us=f"{state.best * 1e6:.4f}" if math.isfinite(state.best) else "",
                    model_ms=f"{model:.6f}" if model is not None else "",
                )
            )
        self._log.append(rows)

    def _model_ms(self) -> float | None:
        total = sum(state.weight * state.best for state in self._states)
        return total * 1e3 if math.isfinite(total) else None


def _seed(seed: int, kernel: Kernel, trials_done: int) -> int:
    """Each kernel its own stream, and another one after each interruption."""
    return zlib.crc32(f"{seed} {kernel.workload} {trials_done}".encode()) % (2**31 - 2) + 1
