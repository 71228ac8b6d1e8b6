"""Search a model with Ansor's search, started from what a transfer to it has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.jobs.job import Job
from rivulet.methods import ANSOR, TRANSFER, WARM
from rivulet.provenance import read_record
from rivulet.records import TuningLog
from rivulet.search import EvolutionarySearch, SearchSettings
from rivulet.search.warm_start import begin_from
from rivulet.stages.tuning import SearchStage, Tuned
from rivulet.transfer.table import read_candidates
from rivulet.tuning import Strategy, TrialBudget
from rivulet.workflow.settings import Warm


class WarmStart(SearchStage[Warm]):
    """One model's search that begins where the pool's transfer ends."""

    name = "warm"
    about = "Search schedules, started from transferred ones."
    method = WARM

    @property
    def start(self) -> Path:
        """Folder of the pool's transfer."""
        return self.path(
            paths.MOVED_LOG, moved=TRANSFER, log_kind=ANSOR, source=paths.POOL,
            target=self["model"],
        )  # fmt: skip

    def inputs(self) -> list[Path]:
        """The kernels and the transfer."""
        return [self.kernels_record, self.start / paths.RECORD]

    def measure(self, job: Job) -> dict[str, Any]:
        """Begin the log with the transfer's trials, and search on."""
        wrong = {
            (row["kernel"], row["candidate"])
            for row in read_candidates(self.start / paths.CANDIDATES)
            if row["correct"] == "no"
        }
        begin_from(self.start / paths.MEASURED, self.folder, wrong)
        return super().measure(job)

    def budget(self, log: TuningLog) -> TrialBudget:
        """The transfer's trials, and a share of the trial count."""
        more = max(1, round(self.settings.warm_start.share * self.settings.trials))
        return TrialBudget(_transferred(log) + more)

    def strategy(self, job: Job, tuned: Tuned) -> Strategy:
        """Ansor's."""
        return EvolutionarySearch(
            SearchSettings(**self.settings.search.model_dump()), space=self.settings.space
        )

    def facts(self, tuned: Tuned, log: TuningLog, strategy: Strategy) -> dict[str, Any]:
        """Of the log, all of whose trials count."""
        start = read_record(self.start / paths.RECORD).facts
        return {
            **super().facts(tuned, log, strategy),
            "trials_measured": len(log.trials),
            "trials_failed": sum(bool(trial.error) for trial in log.trials),
            "trials_transferred": _transferred(log),
            "source_search_seconds": start["source_search_seconds"],
        }


def _transferred(log: TuningLog) -> int:
    return sum(trial.strategy == TRANSFER for trial in log.trials)


STAGE = WarmStart
