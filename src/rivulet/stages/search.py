"""Search schedules for all kernels of a model.

The log grows in a journal that all trial counts share: what is there already is not measured
again.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.errors import UserError
from rivulet.jobs.job import Job
from rivulet.kernels import load_kernels
from rivulet.methods import ANSOR
from rivulet.provenance import read_record
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.chain import (
    chain_folder,
    measuring_code,
    milestone_facts,
    remember_milestone,
)
from rivulet.records.imported import take_over
from rivulet.records.journal import journal_folder, other_journals, publish
from rivulet.records.stored import log_trials, read_log
from rivulet.records.summary import log_facts
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.stages.tuning import SearchStage, Tuned
from rivulet.tuning import Strategy, TrialBudget
from rivulet.tuning.scheduler import first_round_size
from rivulet.workflow.budgets import budget_warning
from rivulet.workflow.choices import milestones
from rivulet.workflow.settings import Searching


class Search(SearchStage[Searching]):
    """One model's search, up to a number of trials."""

    name = "search"
    about = "Search schedules with MetaSchedule's evolutionary search."
    method = ANSOR
    journal = paths.SHARED_JOURNAL
    first_round: int

    @property
    def trials(self) -> int:
        """Trials that the log is to have."""
        return self.settings.trials

    @cached_property
    def milestones(self) -> list[int]:
        """The trial counts at which the log is published, up to this job's own."""
        return sorted({self.trials, *(n for n in milestones(self.plan.config) if n < self.trials)})

    @cached_property
    def folder(self) -> Path:
        """The log of this trial count; those with other first rounds lie beside it."""
        shared = {key: one for key, one in self.settings.record().items() if key != "trials"}
        journal = journal_folder(self.path(self.journal), shared, self.inputs())
        own, planned = self._first_rounds()
        folder, self.first_round = chain_folder(journal, own, planned)
        return folder

    def _first_rounds(self) -> list[int]:
        """Sizes of first rounds that suit this job's trial count, and the smallest milestone."""
        try:
            kernels = int(read_record(self.kernels_record).facts["kernels"])
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{self.kernels_record}: the number of kernels is missing; delete the file, and "
                "the workflow makes it again"
            ) from error
        batch = self.settings.search.batch_size
        counts = (self.milestones[-1], self.milestones[0])
        return [first_round_size(count, kernels, batch) for count in counts]

    def work(self, job: Job) -> None:
        """Search, or go on with a search, up to the number of trials asked for."""
        for other in other_journals(self.folder.parent):
            job.logger.info("an earlier log, made under other conditions, is kept in %s", other)
        with job.alone(self.folder, f"the log in {self.folder}"):
            take_over(self.folder, job.logger)
            done = len(log_trials(self.folder))
            facts = milestone_facts(self.folder, self.trials)
            if facts is not None and done >= facts["trials_measured"]:
                job.tell(f"complete already, taken from {self.folder}")
            else:
                facts = self.measure(job) if done < self.trials else self._summarise(job)
                remember_milestone(self.folder, self.trials, facts)
            outputs = publish(self.folder, self.path(self.made), self.trials)
        self.write_record(outputs, {**facts, "journal": str(self.folder)})

    def budget(self, log: TuningLog) -> TrialBudget:
        """Up to the trial count, with a halt at each milestone."""
        return TrialBudget(self.trials, self.milestones)

    def strategy(self, job: Job, tuned: Tuned) -> Strategy:
        """Ansor's."""
        warning = budget_warning(self.trials, len(tuned.kernels))
        if warning:
            job.tell(warning)
        return EvolutionarySearch(
            SearchSettings(**self.settings.search.model_dump()), first_round=self.first_round,
            space=self.settings.space,
        )  # fmt: skip

    def facts(self, tuned: Tuned, log: TuningLog, strategy: Strategy) -> dict[str, Any]:
        """Of the log, with the code that measured it."""
        return {**super().facts(tuned, log, strategy), "code": stage_code(self.name)}

    def _summarise(self, job: Job) -> dict[str, Any]:
        """Facts of the log as it was when it had no more trials than are asked for."""
        job.tell(f"the first {self.trials} trials of a longer search, taken from {self.folder}")
        publish(self.folder, job.scratch / "first", self.trials)
        # Reading a large log takes the processor for long enough to disturb a measurement.
        with job.device("cpu", shared=True):
            first = read_log(job.scratch / "first")
            facts = log_facts(load_kernels(self.workloads), first, EvolutionarySearch.name)
        code = measuring_code(self.folder, self.trials, stage_code(self.name))
        return {**facts, "code": code}


STAGE = Search
