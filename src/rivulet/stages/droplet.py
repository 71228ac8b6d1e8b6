"""Refine the best schedules of a model's log by droplet search."""

from __future__ import annotations

import shutil
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rivulet import paths
from rivulet.droplet import DropletSearch, DropletSettings, read_source
from rivulet.droplet.combine import combine_logs
from rivulet.droplet.moves import MOVES, write_moves
from rivulet.droplet.settle import GainRow, Settled, kernels_without_start, settle_all
from rivulet.jobs.job import Job
from rivulet.methods import ANSOR, DROPLET
from rivulet.models.precision import allowed_error
from rivulet.provenance import read_record
from rivulet.records import TuningLog
from rivulet.records.journal import publish
from rivulet.records.stored import read_log
from rivulet.records.summary import log_facts
from rivulet.stages.tuning import LogStage, OwnLogStage, Tuned
from rivulet.tables import write_table
from rivulet.tuning import TrialBudget, tune
from rivulet.workflow.settings import Refining

GAINS = "gains.csv"
_CONDITIONS = ("measure", "fingerprint", "tvm")


class Refinement(LogStage[Refining]):
    """Descents from the best schedules of a log, and the log of what they found."""

    name = "droplet"
    keeps_built = True

    @property
    @abstractmethod
    def source(self) -> Path:
        """Folder of the log to refine."""

    @property
    def more(self) -> list[Path]:
        """Folders of logs of the same model with further schedules to begin from."""
        return []

    def inputs(self) -> list[Path]:
        """The kernels and the log."""
        return [self.kernels_record, self.source / paths.RECORD]

    def publish(self, facts: Mapping[str, Any]) -> list[Path]:
        """Write the log, what each kernel gained, and the way there."""
        out = self.path(self.made)
        outputs = publish(self.folder / "combined", out)
        for name in (GAINS, MOVES):
            shutil.copyfile(self.folder / name, out / name)
            outputs.append(out / name)
        return outputs

    @cached_property
    def accepted(self) -> DropletSettings:
        """The config's settings, with the tolerance that this model needs."""
        settings = DropletSettings(**self.settings.droplet.model_dump())
        facts = read_record(self.kernels_record).facts
        allowed = allowed_error(settings.tolerance, self.settings.tolerances or {}, facts)
        return replace(settings, tolerance=allowed)

    def measure(self, job: Job) -> dict[str, Any]:
        """Run the descents, or what is left of them; returns the log's facts."""
        trials = self.accepted.trials
        with self.tuned(job) as tuned:
            walk = TuningLog.resume(self.folder, job.logger)
            done = sum(trial.strategy == DropletSearch.name for trial in walk.trials)
            progress = job.progress(trials, "trials", done)
            progress.update(done, f"{len(tuned.kernels)} kernels")
            with self.bench(job, tuned) as bench:
                source = read_source(
                    self.source, tuned.kernels, job.scratch, self._comparable(), logger=job.logger,
                    others=self.more,
                )  # fmt: skip
                strategy = DropletSearch(self.accepted, source)
                session = self.session(job, tuned, walk, bench, report=progress.update)
                tune(strategy, session, TrialBudget(trials))
                started = time.monotonic()
                settled = settle_all(
                    strategy.descents, self.accepted, bench, job.tell, logger=job.logger
                )
                settling = time.monotonic() - started
        combine_logs(
            settled, tuned.target, self.source, walk.trials, scratch=job.scratch,
            combined=self.folder / "combined", logger=job.logger,
        )  # fmt: skip
        write_moves(strategy.descents, self.folder / MOVES)
        write_table(GainRow, [one.row for one in settled], self.folder / GAINS)
        return self._described(job, tuned, settled, settling)

    def _described(
        self, job: Job, tuned: Tuned, settled: list[Settled], settling: float
    ) -> dict[str, Any]:
        """Facts of the finished log, and a line on it."""
        facts = log_facts(tuned.kernels, read_log(self.folder / "combined"), DropletSearch.name)
        gained = sum(one.row.taken == "yes" for one in settled)
        optimal = sum(one.row.ended == "local optimum" for one in settled)
        for remark in kernels_without_start(settled):
            job.tell(remark)
        job.tell(
            f"{gained} of {len(tuned.kernels)} kernels got faster; {optimal} came to a local "
            "optimum"
        )
        return {
            **facts,
            # The last comparison is part of what it takes to know the schedules.
            "search_seconds": round(facts["search_seconds"] + settling, 3),
            "kernels_improved": gained,
            "local_optima": optimal,
        }

    def _comparable(self) -> bool:
        """Were the source's candidates timed as they are now?"""
        made = read_record(self.source / paths.RECORD).settings
        own = self.settings.record()
        return all(made.get(key) == own.get(key) for key in _CONDITIONS)


class Droplet(Refinement, OwnLogStage[Refining]):
    """Of Ansor's log of a model."""

    about = "Refine the best schedules of a log by coordinate descent."
    method = DROPLET

    @property
    def source(self) -> Path:
        """Ansor's log of as many trials."""
        return self.path(paths.OWN_LOG, own_log=ANSOR)


STAGE = Droplet
