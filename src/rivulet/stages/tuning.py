"""What the stages that make a log have in common: device, kernels, bench and session."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rivulet import paths
from rivulet.hardware.target import resolve_target
from rivulet.jobs.job import Job
from rivulet.kernels import Kernel, load_kernels
from rivulet.measure.bench import Bench
from rivulet.paths import Pattern
from rivulet.provenance.code import stage_code
from rivulet.records import TuningLog
from rivulet.records.journal import completed_facts, journal_folder, mark_complete, publish
from rivulet.records.stored import read_log
from rivulet.records.summary import log_facts
from rivulet.stages.stage import Stage
from rivulet.tuning import Session, Strategy, TrialBudget, tune
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import model_weight_bytes
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import Measuring

MeasuringT = TypeVar("MeasuringT", bound=Measuring)


@dataclass(frozen=True)
class Tuned:
    """A model to tune, with the device held.

    Attributes:
        target: TVM target.
        kernels: The model's kernels.
    """

    target: Any
    kernels: list[Kernel]


class MeasuringStage(Stage[MeasuringT]):
    """A stage that measures candidates."""

    keeps_built: ClassVar[bool] = False

    @property
    def workloads(self) -> Path:
        """Workloads of the model that is tuned."""
        return self.path(paths.WORKLOADS)

    @contextmanager
    def tuned(self, job: Job) -> Iterator[Tuned]:
        """Hold the device, and open the model."""
        device = self.device
        with job.measuring(device):
            load_tvm(device.threads)  # before anything else does, with another number of threads
            yield Tuned(resolve_target(device), load_kernels(self.workloads))

    @contextmanager
    def bench(self, job: Job, tuned: Tuned, **changed: Any) -> Iterator[Bench]:
        """A bench for the model's kernels.

        Args:
            job: The job.
            tuned: The model.
            changed: What is measured otherwise than the config says.
        """
        measure = self.settings.measure.model_dump(mode="json") | changed
        weights = model_weight_bytes((k.module, k.weight) for k in tuned.kernels)
        with Bench(
            tuned.target, self.device.threads, measure, job.scratch, model_weights=weights,
            keep_built=self.keeps_built, location=self.device.location,
        ) as bench:  # fmt: skip
            yield bench

    def session(self, job: Job, tuned: Tuned, log: TuningLog, bench: Bench, **more: Any) -> Session:
        """The session of a strategy.

        Args:
            job: The job.
            tuned: The model.
            log: Where trials and schedules go.
            bench: Measures candidates.
            more: Its ``report`` and ``since``, where they matter.
        """
        return Session(
            tuned.kernels, target=tuned.target, threads=self.device.threads, log=log, bench=bench,
            logger=job.logger, **more,
        )  # fmt: skip


class LogStage(MeasuringStage[MeasuringT]):
    """A stage whose log grows in a journal, and is published when it is complete.

    Attributes:
        journal: Pattern of the folder of its journals.
    """

    journal: ClassVar[Pattern]

    @classmethod
    def record_pattern(cls) -> Pattern:
        """In the log's folder."""
        return cls.made / paths.RECORD

    @property
    def kernels_record(self) -> Path:
        """Record of the model's kernels."""
        return self.path(f"{paths.KERNELS}.json")

    def inputs(self) -> list[Path]:
        """The kernels; a search knows no more of the model."""
        return [self.kernels_record]

    @cached_property
    def folder(self) -> Path:
        """The journal of these settings and inputs."""
        return journal_folder(self.path(self.journal), self.settings.record(), self.inputs())

    def work(self, job: Job) -> None:
        """Run the strategy, or what is left of it, and publish its log."""
        facts = completed_facts(self.folder)
        if facts is None:
            facts = self.measure(job) | {"code": stage_code(self.name)}
            mark_complete(self.folder, facts)
        else:
            job.tell(f"complete already, taken from {self.folder}")
        self.write_record(self.publish(facts), {**facts, "journal": str(self.folder)})

    def publish(self, facts: Mapping[str, Any]) -> list[Path]:
        """Write the log's files to their place.

        Args:
            facts: What `measure` said of the log.
        """
        return publish(self.folder, self.path(self.made))

    @abstractmethod
    def measure(self, job: Job) -> dict[str, Any]:
        """Measure what is missing; returns the facts of the log."""


class OwnLogStage(LogStage[MeasuringT]):
    """A stage whose log is one of a model's own.

    Attributes:
        method: Folder of its method in `rivulet.methods`.
    """

    keys = ("model", "hardware", "trials")
    made = paths.OWN_LOG
    journal = paths.JOURNAL
    method: ClassVar[str]

    def __init__(self, plan: Plan, values: Mapping[str, str]) -> None:
        super().__init__(plan, {**values, "own_log": self.method})

    @classmethod
    def record_pattern(cls) -> Pattern:
        """In the log's folder, which the method has a name for."""
        return super().record_pattern().at(own_log=cls.method)

    def subject(self) -> dict[str, str]:
        """What it is of, with the kind of log."""
        return {**super().subject(), "log": self.method}


class SearchStage(OwnLogStage[MeasuringT]):
    """A search of a model's own: a new strategy is one of these, which says what `strategy` is."""

    def measure(self, job: Job) -> dict[str, Any]:
        """Measure what is missing; returns the facts of the log."""
        with self.tuned(job) as tuned:
            log = TuningLog.resume(self.folder, job.logger)
            budget = self.budget(log)
            progress = job.progress(budget.trials, "trials", len(log.trials))
            progress.update(len(log.trials), f"{len(tuned.kernels)} kernels")
            with self.bench(job, tuned) as bench:
                session = self.session(job, tuned, log, bench, report=progress.update)
                strategy = self.strategy(job, tuned)
                tune(strategy, session, budget)
            for remark in strategy.remarks():
                job.tell(remark)
            return self.facts(tuned, log, strategy)

    def budget(self, log: TuningLog) -> TrialBudget:
        """How many candidates are measured, those of the log included."""
        return TrialBudget(int(self["trials"]))

    @abstractmethod
    def strategy(self, job: Job, tuned: Tuned) -> Strategy:
        """What proposes candidates."""

    def facts(self, tuned: Tuned, log: TuningLog, strategy: Strategy) -> dict[str, Any]:
        """What the record says of the log."""
        return log_facts(tuned.kernels, read_log(self.folder), strategy.name)
