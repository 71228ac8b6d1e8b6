"""Transfer-tuning: schedules of other models' logs on the kernels of a target model.

After Gibson and Cano, "Transfer-Tuning: Reusing Auto-Schedules for Efficient Tensor Program
Code Generation" (PACT 2022): a schedule found for a kernel is tried on kernels of its class.
Unlike there, candidates are ranked by a cost model that was trained on the sources' logs and
learns on, any number of sources serves one target, and a kernel takes nothing that was not shown
to be faster. Outputs are checked for the whole model, by who compiles it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rivulet.kernels.naming import short_name
from rivulet.measure.protocol import Measurement, logged_seconds
from rivulet.schedules.space import REGISTER_TILES, space_tiles
from rivulet.transfer.candidates import KernelCandidates
from rivulet.transfer.case import Case, Tried
from rivulet.transfer.choice import KernelChoice, Prospects, choose_batch, worth_more
from rivulet.transfer.mapping import Lent
from rivulet.transfer.result import TransferResult, TransferSettings
from rivulet.transfer.settle import settle
from rivulet.transfer.sources import Source, read_lessons
from rivulet.tuning import Batch, Candidate, Role, Session, Strategy
from rivulet.tuning.budget import Budget
from rivulet.tuning.cost_model import BoostedTrees
from rivulet.tuning.features import learn_records

_LOOKS = 2  # candidates of a kernel that is worth more than one, before the cost model chooses
_KERNELS_AT_ONCE = 16  # built side by side; more keeps builders busy, fewer records sooner
_BATCH = 12
_LEARNED_ROWS = 120


@dataclass(frozen=True)
class _Asked(Candidate):
    """A candidate on its way through the bench.

    Attributes:
        tried: What becomes of it.
    """

    tried: Tried | None = None


class TransferTuning(Strategy):
    """Tries the sources' schedules on the target's kernels.

    The default schedule is one of each kernel's candidates: a kernel takes a transferred one
    only where it is faster, by far or significantly. Candidates of a run that was interrupted are
    not measured again.

    Args:
        settings: Limits and acceptance.
        sources: The logs that schedules come from.
        scratch: Folder for parts of the sources' logs.
        space: The hardware's search space, ``register-tiles`` or ``stock``.
        untuned: Seconds that the default schedule of some kernels takes in a run of the whole
            model, by task. The others' are measured alone.

    Attributes:
        result: What the transfer came to, once it is finished.
    """

    name = "transfer"

    def __init__(
        self,
        settings: TransferSettings,
        sources: Sequence[Source],
        *,
        scratch: Path,
        space: str = REGISTER_TILES,
        untuned: Mapping[str, float] | None = None,
    ) -> None:
        self._settings, self._sources, self._space = settings, sources, space
        self._scratch, self._untuned = scratch, untuned or {}
        self._prospects = Prospects()
        self._lent: dict[int, Lent] = {}
        self._cases: dict[int, Case] = {}
        self._choices: list[KernelChoice] = []
        self._stopped = self._line = ""
        self.result = TransferResult()

    def start(self, session: Session, budget: Budget) -> None:
        """Plan which kernels are looked at together."""
        self.session = session
        session.recorder.recall()
        self._recorded = {(trial.kernel, trial.candidate) for trial in session.log.trials}
        kernels = session.kernels
        self._cost_model = BoostedTrees(self._settings.seed, session.threads)
        self._choices = [KernelChoice(kernel.weight, served=False) for kernel in kernels]
        order = sorted(range(len(kernels)), key=lambda i: -kernels[i].flops * kernels[i].weight)
        self._shares = [
            order[begin : begin + _KERNELS_AT_ONCE]
            for begin in range(0, len(order), _KERNELS_AT_ONCE)
        ]
        self._plan = self._batches()

    def propose(self, most: int) -> Batch | None:
        """The next candidates of the plan."""
        return next(self._plan, None)

    def learn(self, candidates: Sequence[Candidate], results: Sequence[Measurement]) -> None:
        """Note what each candidate came to, and let the cost model learn."""
        batch = [(one.kernel, one.tried) for one in candidates if isinstance(one, _Asked)]
        for (_, tried), result in zip(batch, results, strict=True):
            assert tried is not None
            tried.take(result)
        kernels = self.session.kernels
        self._recorded |= {(kernels[one.kernel].task, one.name) for one in candidates}
        measured = list(dict.fromkeys(index for index, _ in batch))
        for index in measured:
            tried_now = [one for i, one in batch if i == index and one is not None]
            choice = self._choices[index]
            choice.best = min([choice.best, *(one.result.latency for one in tried_now)])
            choice.served |= any(one.candidate and one.result.samples for one in tried_now)
            if self._cases[index].extended:
                ran = [one for one in tried_now if one.candidate and one.result.samples]
                self._prospects.learn(
                    [one.score for one in ran], [one.result.latency for one in ran]
                )
                self._teach(index, tried_now)
        for index in measured:
            if self._cases[index].extended:
                self._predict(index)

    def finish(self) -> None:
        """Settle what each kernel takes."""
        looked = self.session.recorder.elapsed
        for share in self._shares:
            self._settle(share)
        cases = [self._cases[place] for place in range(len(self._choices))]
        seconds = self.session.recorder.elapsed
        self.result = TransferResult(cases, seconds, seconds - looked, self._stopped)

    def standing(self) -> tuple[int, str]:
        """Kernels settled, and a line on the last batch."""
        settled = sum(case.settled for case in self._cases.values())
        return settled, " | ".join(filter(None, (self._line, self.session.model_text())))

    def _batches(self) -> Iterator[Batch]:
        """The first candidates of all kernels, and then the most hopeful ones."""
        for share in self._shares:
            yield from self._first_look(share)
        for share in self._shares:
            if not self._out_of_time():
                again = [index for index in share if self._worth_more(index)]
                yield from self._look(again, min(_LOOKS, self._settings.candidates_per_kernel))
        self.session.require_a_valid_trial("schedules, the default ones included,")
        yield from self._spend()

    def _first_look(self, share: list[int]) -> Iterator[Batch]:
        """The most promising schedule of some kernels, by its match alone.

        That comes near to what there is to gain, and nothing has to be learned to find it. A
        kernel of which it does not run gets its default schedule measured.
        """
        for index in share:
            self._open_case(index)
        last = self._cases[share[-1]].kernel.task
        self._line = f"{short_name(last)}: {len(self._cases)}/{len(self._choices)} looked at"
        yield from self._look(share, 1)
        # Where none of them ran, what the kernel has is its default.
        without = [i for i in share if not math.isfinite(self._choices[i].best)]
        unknown = [i for i in without if not self._cases[i].default.measured]
        yield from self._asking([(i, self._cases[i].default) for i in unknown])
        for index in without:
            self._note_best(index, self._cases[index].default.result.latency)

    def _open_case(self, index: int) -> None:
        session, kernel = self.session, self.session.kernels[index]
        candidates = KernelCandidates(
            kernel, self._sources, session.target,
            space_tiles(self._space, session.target, session.threads, kernel.dtype),
            per_source_kernel=self._settings.records_per_source_kernel, lent=self._lent,
            threads=session.threads, logger=session.logger,
        )  # fmt: skip
        self._cases[index] = Case(kernel, candidates)
        if (seconds := self._untuned.get(kernel.task)) is not None:
            known = Measurement(logged_seconds([seconds]), "", 0.0, seconds)
            self._cases[index].default.take(known)
            self._choices[index].default = known.latency

    def _note_best(self, index: int, seconds: float) -> None:
        self._choices[index].best = seconds
        self.session.states[index].reckon(seconds)

    def _look(self, share: list[int], count: int) -> Iterator[Batch]:
        """Candidates in the order of their match until each kernel has had so many."""
        batch = []
        for index in share:
            case, choice = self._cases[index], self._choices[index]
            case.candidates.extend(min(count, self._settings.most_per_kernel))
            case.take_in()
            batch += [(index, one) for one in case.tried if not one.measured]
            choice.tried = len(case.tried)
        yield from self._asking(batch)

    def _asking(self, batch: Sequence[tuple[int, Tried]]) -> Iterator[Batch]:
        """A batch to be measured, if there is anything in it."""
        if batch:
            yield Batch(
                [self._asked(index, one) for index, one in batch],
                incumbent={index: choice.best for index, choice in enumerate(self._choices)},
            )

    def _asked(self, index: int, one: Tried, role: Role | None = None) -> _Asked:
        if role is None:
            role = Role.DEFAULT if one.candidate is None else Role.NEW
        return _Asked(index, one.schedule, one.row.candidate, role, tried=one)

    def _spend(self) -> Iterator[Batch]:
        """Further candidates until the budget is spent."""
        budget = self._settings.candidates_per_kernel * len(self._choices)
        if sum(choice.tried for choice in self._choices) < budget and self._any_open():
            self._learn_sources()
        while True:
            done = sum(choice.tried for choice in self._choices)
            if done >= budget:
                self._stopped = f"the budget of {budget} candidates is spent"
                return
            if self._out_of_time():
                self._stopped = f"the budget of {self._settings.seconds:g} s is spent"
                return
            size = min(_BATCH, budget - done)
            self._extend(size)
            batch = choose_batch(
                self._choices, self._prospects, size, self._settings.most_per_kernel
            )
            self._line = f"{done + len(batch)}/{budget} candidates"
            if not batch and not self._any_open():
                self._stopped = "no candidate is left that could win much"
                return
            yield from self._asking([(i, self._cases[i].tried[number]) for i, number in batch])

    def _learn_sources(self) -> None:
        """Train the cost model on the sources' logs, and on what was measured by now.

        Times of another device would teach it what is fast there.
        """
        from tvm.s_tir import meta_schedule as ms

        session = self.session
        context = ms.TuneContext(target=session.target, num_threads=session.threads)
        timed = [source for source in self._sources if source.timed]
        kernels = sum(len(source.kernels) for source in timed)
        best = max(2, _LEARNED_ROWS // (2 * max(1, kernels)))
        for source in timed:
            lessons = read_lessons(source, self._scratch, best, best, logger=session.logger)
            for workload, records in lessons.items():
                learn_records(
                    f"{source.name}/{workload}",
                    records,
                    self._cost_model,
                    context,
                    threads=session.threads,
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

    def _teach(self, index: int, tried: list[Tried]) -> None:
        """Let the cost model learn measured candidates of a kernel."""
        described = [
            (one.candidate.features, one.result.latency)
            for one in tried
            if one.candidate is not None and one.candidate.features is not None
        ]
        task = self.session.kernels[index].task
        self._cost_model.add(task, [f for f, _ in described], [t for _, t in described])

    def _settle(self, share: list[int]) -> None:
        """Decide what some kernels take, and write down what was measured for that."""
        session, cases = self.session, [self._cases[index] for index in share]
        model = sum(c.seconds for c in self._choices if math.isfinite(c.seconds))
        raced = settle(cases, model, self._settings, session.bench)
        for index, case in zip(share, cases, strict=True):
            self._note_best(index, case.taken.result.latency)
            default = self._asked(index, case.default)
            rows = [] if (case.kernel.task, default.name) in self._recorded else [default]
            rows += [
                self._asked(index, one, Role.CONFIRM) for one in case.tried if id(one) in raced
            ]
            for one in rows:
                assert one.tried is not None
                session.record(one, one.tried.result)
        session.end_batch()
        self._line = f"{short_name(cases[-1].kernel.task)}: {cases[-1].verdict}"
        session.report(*self.standing())

    def _out_of_time(self) -> bool:
        seconds = self._settings.seconds
        return bool(seconds) and self.session.recorder.elapsed >= seconds
