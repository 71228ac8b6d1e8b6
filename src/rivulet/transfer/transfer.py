"""Transfer-tuning: schedules of other models' logs on the kernels of a target model.

After Gibson and Cano, "Transfer-Tuning: Reusing Auto-Schedules for Efficient Tensor Program
Code Generation" (PACT 2022): a schedule found for a kernel is tried on kernels of its class.
Unlike there, candidates are ranked by a cost model that was trained on the sources' logs and
learns on, any number of sources serves one target, and a kernel takes nothing that was not shown
to be faster. Outputs are checked for the whole model, by who compiles it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.figures import milliseconds
from rivulet.kernels import Kernel
from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import Measurement, MeasuringBench, logged_seconds
from rivulet.measure.replay import RecordedTable
from rivulet.records import Trial, TuningLog
from rivulet.records.trials import samples_text, why_nothing_ran
from rivulet.schedules.space import space_tiles
from rivulet.search.cost_model import BoostedTrees
from rivulet.search.features import learn_records
from rivulet.transfer.candidates import KernelCandidates
from rivulet.transfer.case import Case, Tried
from rivulet.transfer.choice import KernelChoice, Prospects, choose_batch, worth_more
from rivulet.transfer.mapping import Lent
from rivulet.transfer.result import TransferResult, TransferSettings
from rivulet.transfer.settle import settle
from rivulet.transfer.sources import Source, read_lessons
from rivulet.tvm_compat.arguments import argument_infos

STRATEGY = "transfer"
DEFAULT_STRATEGY = f"{STRATEGY}-default"
CONFIRM_STRATEGY = f"{STRATEGY}-confirm"
_LOOKS = 2  # candidates of a kernel that is worth more than one, before the cost model chooses
_KERNELS_AT_ONCE = 16  # built side by side; more keeps builders busy, fewer records sooner
_BATCH = 12
_LEARNED_ROWS = 120


def transfer_schedules(
    kernels: list[Kernel],
    sources: Sequence[Source],
    target: Any,
    space: str,
    settings: TransferSettings,
    threads: int,
    measured: TuningLog,
    chosen: TuningLog,
    bench: MeasuringBench,
    scratch: Path,
    report: Callable[[int, str], None],
    logger: logging.Logger,
    started: float | None = None,
    untuned: Mapping[str, float] | None = None,
) -> TransferResult:
    """Try the sources' schedules on the target's kernels and record what wins.

    The default schedule is one of each kernel's candidates: a kernel takes a transferred one
    only where it is faster, by far or significantly.

    Args:
        kernels: The target model's kernels.
        sources: The logs that schedules come from.
        target: TVM target.
        space: The hardware's search space, ``register-tiles`` or ``stock``.
        settings: Limits and acceptance.
        threads: Threads for applying schedules; no kernel runs meanwhile.
        measured: Log of every candidate measured. What it holds already, of a run that was
            interrupted, is not measured again.
        chosen: Empty log for the schedules that kernels take.
        bench: Measures candidates.
        scratch: Folder for parts of the sources' logs.
        report: Told the kernels settled and a line on how it stands.
        logger: Told of failures.
        started: When the work began, ``time.monotonic()``; now by default.
        untuned: Seconds that the default schedule of some kernels takes in a run of the whole
            model, by task. The others' are measured alone.
    """
    return _Transfer(
        kernels, sources, target, space, settings, threads, measured, chosen, bench, scratch,
        report, logger, time.monotonic() if started is None else started, untuned or {},
    ).run()  # fmt: skip


class _Transfer:
    def __init__(
        self,
        kernels: list[Kernel],
        sources: Sequence[Source],
        target: Any,
        space: str,
        settings: TransferSettings,
        threads: int,
        measured: TuningLog,
        chosen: TuningLog,
        bench: MeasuringBench,
        scratch: Path,
        report: Callable[[int, str], None],
        logger: logging.Logger,
        started: float,
        untuned: Mapping[str, float],
    ) -> None:
        self._kernels, self._sources, self._target = kernels, sources, target
        self._space, self._settings, self._threads = space, settings, threads
        self._measured, self._chosen, self._bench = measured, chosen, bench
        self._scratch, self._report, self._logger = scratch, report, logger
        self._untuned = untuned
        self._recorded = RecordedTable(t for t in measured.trials if t.strategy != CONFIRM_STRATEGY)
        self._known = {(t.kernel, t.candidate) for t in measured.trials}
        self._before, self._started = measured.elapsed(), started
        self._batch = max((trial.batch for trial in measured.trials), default=0)
        self._cost_model = BoostedTrees(settings.seed, threads)
        self._prospects = Prospects()
        self._lent: dict[int, Lent] = {}
        self._cases: dict[int, Case] = {}
        self._choices = [KernelChoice(kernel.weight, served=False) for kernel in kernels]

    def run(self) -> TransferResult:
        order = sorted(
            range(len(self._kernels)),
            key=lambda i: -self._kernels[i].flops * self._kernels[i].weight,
        )
        shares = [
            order[begin : begin + _KERNELS_AT_ONCE]
            for begin in range(0, len(order), _KERNELS_AT_ONCE)
        ]
        for share in shares:
            self._first_look(share)
        for share in shares:
            if not self._out_of_time():
                again = [index for index in share if self._worth_more(index)]
                self._look(again, min(_LOOKS, self._settings.candidates_per_kernel))
        what = "schedules, the default ones included,"
        if problem := why_nothing_ran(self._measured.trials, what):
            raise UserError(problem)
        stopped = self._spend()
        looked = self._elapsed()
        for share in shares:
            self._settle(share)
        cases = [self._cases[i] for i in range(len(self._kernels))]
        result = TransferResult(cases, self._elapsed(), self._elapsed() - looked, stopped)
        result.record(self._chosen, self._target)
        return result

    def _first_look(self, share: list[int]) -> None:
        """Measure the most promising schedule of some kernels, by its match alone.

        That comes near to what there is to gain, and nothing has to be learned to find it. A
        kernel of which it does not run gets its default schedule measured.
        """
        for index in share:
            kernel = self._kernels[index]
            candidates = KernelCandidates(
                kernel, self._sources, self._target,
                space_tiles(self._space, self._target, self._threads, kernel.dtype),
                self._settings.records_per_source_kernel, self._lent, self._threads,
                self._logger,
            )  # fmt: skip
            self._cases[index] = Case(kernel, candidates)
            if (seconds := self._untuned.get(kernel.task)) is not None:
                known = Measurement(logged_seconds([seconds]), "", 0.0, seconds)
                self._cases[index].default.take(known)
                self._choices[index].default = known.latency
        self._look(share, 1)
        # Where none of them ran, what the kernel has is its default.
        without = [i for i in share if not math.isfinite(self._choices[i].best)]
        unknown = [i for i in without if not self._cases[i].default.measured]
        self._measure([(i, self._cases[i].default) for i in unknown])
        for index in without:
            self._choices[index].best = self._cases[index].default.result.latency
        last = self._cases[share[-1]]
        seen = f"{len(self._cases)}/{len(self._kernels)} looked at"
        self._report(0, f"{short_name(last.kernel.task)}: {seen}{self._model_text()}")

    def _look(self, share: list[int], count: int) -> None:
        """Measure candidates in the order of their match until each kernel has had so many."""
        batch = []
        for index in share:
            case, choice = self._cases[index], self._choices[index]
            case.candidates.extend(min(count, self._settings.most_per_kernel))
            case.take_in()
            batch += [(index, one) for one in case.tried if not one.measured]
            choice.tried = len(case.tried)
        self._measure(batch)

    def _spend(self) -> str:
        """Measure further candidates until the budget is spent; returns why it ended."""
        budget = self._settings.candidates_per_kernel * len(self._kernels)
        if sum(choice.tried for choice in self._choices) < budget and self._any_open():
            self._learn_sources()
        while True:
            done = sum(choice.tried for choice in self._choices)
            if done >= budget:
                return f"the budget of {budget} candidates is spent"
            if self._out_of_time():
                return f"the budget of {self._settings.seconds:g} s is spent"
            size = min(_BATCH, budget - done)
            self._extend(size)
            batch = choose_batch(
                self._choices, self._prospects, size, self._settings.most_per_kernel
            )
            if not batch:
                if self._any_open():
                    continue
                return "no candidate is left that could win much"
            self._measure([(i, self._cases[i].tried[number]) for i, number in batch])
            self._report(0, f"{done + len(batch)}/{budget} candidates{self._model_text()}")

    def _learn_sources(self) -> None:
        """Train the cost model on the sources' logs, and on what was measured by now.

        Times of another device would teach it what is fast there.
        """
        from tvm.s_tir import meta_schedule as ms

        context = ms.TuneContext(target=self._target, num_threads=self._threads)
        timed = [source for source in self._sources if source.timed]
        kernels = sum(len(source.kernels) for source in timed)
        best = max(2, _LEARNED_ROWS // (2 * max(1, kernels)))
        for source in timed:
            lessons = read_lessons(source, self._scratch, best, best, self._logger)
            for workload, records in lessons.items():
                learn_records(
                    f"{source.name}/{workload}", records, self._cost_model, context, self._threads
                )
        for index, case in self._cases.items():
            case.describe()
            self._teach(index, [one for one in case.tried if one.measured])
        # Not before all is taught: the model is trained anew by what asks after a lesson.
        for index in self._cases:
            self._predict(index)

    def _extend(self, count: int) -> None:
        """Have more candidates ready for the kernels that have most to gain."""
        hopeful = sorted(
            (i for i, choice in enumerate(self._choices) if self._open(i, choice)),
            key=lambda i: -self._choices[i].gain,
        )
        for index in hopeful[:count]:
            case = self._cases[index]
            if not case.extended:
                case.candidates.extend(self._settings.considered_per_kernel)
                case.extended = True
                case.take_in()
                case.describe()
                self._predict(index)

    def _open(self, index: int, choice: KernelChoice) -> bool:
        """May a kernel still get candidates: some that wait, or some not looked for yet?"""
        if choice.tried >= self._settings.most_per_kernel or not self._worth_more(index):
            return False
        return bool(choice.waiting) or not self._cases[index].extended

    def _any_open(self) -> bool:
        return any(self._open(i, choice) for i, choice in enumerate(self._choices))

    def _worth_more(self, index: int) -> bool:
        return worth_more(self._choices[index], self._choices)

    def _predict(self, index: int) -> None:
        """Score what one kernel has measured and what it has not, by the model as it is now."""
        case, choice = self._cases[index], self._choices[index]
        described = [
            (place, one, one.candidate.features)
            for place, one in enumerate(case.tried)
            if one.candidate is not None and one.candidate.features is not None
        ]
        scores = self._cost_model.predict([features for _, _, features in described])
        for (place, one, _), score in zip(described, scores, strict=True):
            one.score = float(score)
            if not one.measured:
                one.row.predicted = f"{one.score:.4f}"
                choice.waiting[place] = one.score
        ran = [one for one in case.tried if one.result.samples]
        if ran:
            choice.best_score = min(ran, key=lambda t: t.result.latency).score

    def _measure(self, batch: list[tuple[int, Tried]]) -> None:
        """Measure candidates, record them at once, and let the cost model learn."""
        if not batch:
            return
        fresh = [(i, one) for i, one in batch if not self._recall(i, one)]
        best: dict[Hashable, float] = {i: choice.best for i, choice in enumerate(self._choices)}
        results = self._bench.measure(
            [one.schedule.mod for _, one in fresh], best, [index for index, _ in fresh]
        )
        for (_, one), result in zip(fresh, results, strict=True):
            one.take(result)
        measured = list(dict.fromkeys(i for i, _ in batch))
        for index in measured:
            tried = [one for i, one in batch if i == index]
            choice = self._choices[index]
            choice.best = min([choice.best, *(one.result.latency for one in tried)])
            choice.served |= any(one.candidate and one.result.samples for one in tried)
            if self._cases[index].extended:
                ran = [one for one in tried if one.candidate and one.result.samples]
                self._prospects.learn(
                    [one.score for one in ran], [one.result.latency for one in ran]
                )
                self._teach(index, tried)
        for index in measured:
            if self._cases[index].extended:
                self._predict(index)
        self._record(fresh)

    def _teach(self, index: int, tried: list[Tried]) -> None:
        """Let the cost model learn measured candidates of a kernel."""
        described = [
            (one.candidate.features, one.result.latency)
            for one in tried
            if one.candidate is not None and one.candidate.features is not None
        ]
        task = self._kernels[index].task
        self._cost_model.add(task, [f for f, _ in described], [t for _, t in described])

    def _recall(self, index: int, one: Tried) -> bool:
        """Take the result of an interrupted run, if there is one."""
        if (self._kernels[index].task, one.row.candidate) not in self._known:
            return False
        result = self._recorded.first(one.row.candidate)
        if result is None:
            return False
        one.take(result)
        return True

    def _record(self, fresh: list[tuple[int, Tried]]) -> None:
        """Write what was measured: schedules first, then the rows that tell of them."""
        self._batch += 1
        self._known |= {(self._kernels[i].task, one.row.candidate) for i, one in fresh}
        for index, one in fresh:
            if one.candidate is not None and one.result.samples:
                self._measured.commit(
                    self._kernels[index], one.schedule.trace, one.result.latency, self._target,
                    argument_infos(one.schedule.mod), candidate=one.row.candidate,
                )  # fmt: skip
        self._measured.append(
            [
                self._trial(index, one, DEFAULT_STRATEGY if one.candidate is None else STRATEGY)
                for index, one in fresh
            ]
        )

    def _trial(self, index: int, one: Tried, strategy: str) -> Trial:
        best = self._choices[index].best
        model = sum(choice.weight * choice.best for choice in self._choices)
        return Trial(
            trial=0,
            elapsed_s=round(self._elapsed(), 3),
            kernel=self._kernels[index].task,
            batch=self._batch,
            strategy=strategy,
            candidate=one.row.candidate,
            propose_s=0.0,
            build_s=round(one.result.build_seconds, 4),
            run_s=round(one.result.run_seconds, 4),
            samples_us=samples_text(one.result.samples),
            error=one.result.error,
            best_us=f"{best * 1e6:.4f}" if math.isfinite(best) else "",
            model_ms=f"{model * 1e3:.6f}" if math.isfinite(model) else "",
        )

    def _settle(self, share: list[int]) -> None:
        """Decide what some kernels take, and write down what was measured for that."""
        cases = [self._cases[i] for i in share]
        model = sum(c.seconds for c in self._choices if math.isfinite(c.seconds))
        raced = settle(cases, model, self._settings, self._bench)
        self._batch += 1
        rows = []
        for index, case in zip(share, cases, strict=True):
            self._choices[index].best = case.taken.result.latency
            default = case.default
            if (case.kernel.task, default.row.candidate) not in self._known:
                rows.append(self._trial(index, default, DEFAULT_STRATEGY))
            rows += [
                self._trial(index, one, CONFIRM_STRATEGY) for one in case.tried if id(one) in raced
            ]
        self._measured.append(rows)
        done = sum(case.settled for case in self._cases.values())
        self._report(done, f"{short_name(cases[-1].kernel.task)}: {cases[-1].verdict}")

    def _model_text(self) -> str:
        total = sum(choice.weight * choice.best for choice in self._choices)
        return f" | model {milliseconds(total * 1e3)}" if math.isfinite(total) else ""

    def _out_of_time(self) -> bool:
        return bool(self._settings.seconds) and self._elapsed() >= self._settings.seconds

    def _elapsed(self) -> float:
        return self._before + time.monotonic() - self._started
