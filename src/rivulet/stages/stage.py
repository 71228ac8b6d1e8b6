"""A job of the workflow: what it is of, what it reads and makes, and the work itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from rivulet import paths
from rivulet.errors import UserError
from rivulet.hardware import Device, fingerprint
from rivulet.jobs.job import Job
from rivulet.jobs.machine import FINGERPRINT_OF_NODE, fingerprint_on_node
from rivulet.paths import Pattern
from rivulet.provenance import write_record
from rivulet.tvm_compat import installed_version
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import StageSettings, settings_class

SettingsT = TypeVar("SettingsT", bound=StageSettings)


class Stage(ABC, Generic[SettingsT]):
    """One job: everything that it needs comes from the plan and from what it is of.

    Args:
        plan: The config, and the machine that the job was planned for.
        values: What it is of, by the names of wildcards in `rivulet.paths`.

    Attributes:
        name: What records and settings call the stage.
        about: What ``--help`` says first.
        keys: The wildcards that say what an artefact is of.
        made: Pattern of what it makes, without the file's ending: its record is ``made`` with
            ``.json``, unless ``made`` is a folder that has it inside.
        words: What the record's subject calls keys otherwise.
        anywhere: Whether the job may run on any machine, because nothing of it depends on where.
        plan: See above.
        values: See above; the trial count is a number here.
        settings: What the artefact depends on.
        machine: Files that describe the machine, where the planning one cannot see it.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    made: ClassVar[Pattern]
    words: ClassVar[Mapping[str, str]] = {}
    anywhere: ClassVar[bool] = False
    plan: Plan
    settings: SettingsT

    def __init__(self, plan: Plan, values: Mapping[str, str]) -> None:
        self.plan = plan
        self.values: dict[str, Any] = dict(values)
        if "trials" in self.values:
            self.values["trials"] = int(self.values["trials"])
        made = settings_class(self.name).of(plan, self.values)
        self.settings = made  # type: ignore[assignment]  # the class of the stage's own name
        self.machine = self.machine_files()

    def __getitem__(self, key: str) -> str:
        """What it is of, such as the name of its model."""
        return str(self.values[key])

    def path(self, pattern: str, **more: object) -> Path:
        """A path for what the job is of.

        Args:
            pattern: With the wildcards of `rivulet.paths`.
            more: Values of further wildcards, or other ones.
        """
        return Path(Pattern(pattern).at(**{**self.values, **more}))

    @classmethod
    def record_pattern(cls) -> Pattern:
        """Pattern of the record of what it makes."""
        return cls.made + ".json"

    @property
    def record(self) -> Path:
        """The record of what it makes."""
        return self.path(self.record_pattern())

    @property
    def text_log(self) -> Path:
        """Where the workflow has the log of the job."""
        return Path(Pattern(self.path(self.made)).text_log)

    def subject(self) -> dict[str, str]:
        """What it is of, as its record says it."""
        return {self.words.get(key, key): self[key] for key in self.keys}

    @property
    def label(self) -> str:
        """Stage and subject, for progress lines."""
        subject = self.subject()
        name = subject.get("name") or subject.get("model", "")
        return " ".join(filter(None, (self.name, subject.get("what"), name)))

    def output(self, ending: str) -> Path:
        """A file that it makes, whose folder is there from then on."""
        path = self.path(f"{self.made}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inputs(self) -> list[Path]:
        """Files that it reads and that its record tells, but for the machine's description."""
        return []

    @abstractmethod
    def work(self, job: Job) -> None:
        """Make it, its record last."""

    def run(self, job: Job) -> None:
        """See that everything is there, and do the work on the machine that it was planned for."""
        missing = [path for path in [*self.inputs(), *self.machine] if not path.exists()]
        if missing:
            raise UserError(
                f"{missing[0]} is not there; make it first: snakemake --cores 2 {missing[0]}, with "
                "the same --configfile"
            )
        for path in self.machine:
            device = self.plan.device(self["hardware"])
            on_node: Any = self.settings
            found = fingerprint_on_node(device, path, not self.anywhere)
            self.settings = replace(on_node, fingerprint=found)
        self.work(job)

    def machine_files(self) -> list[Path]:
        """Description of the machine that the hardware's name stands for: of a cluster's node."""
        of_node = getattr(self.settings, "fingerprint", "") == FINGERPRINT_OF_NODE
        return [self.path(f"{paths.MACHINE}.json")] if of_node else []

    @cached_property
    def device(self) -> Device:
        """The device to measure on, after checking that this machine is still it.

        Raises:
            UserError: This machine, its thread count or TVM is another one than when the workflow
                was planned, so that a measurement here would go under a wrong name.
        """
        planned: Any = self.settings
        device = self.plan.device(self["hardware"])
        found = fingerprint(device)
        if found != planned.fingerprint:
            raise UserError(
                f"hardware '{device.name}': this machine has the fingerprint {found}, but the job "
                f"was planned for {planned.fingerprint}; run it on the machine that the name "
                "stands for, or give this machine a name of its own in the config; a cluster's "
                "nodes are 'at: cluster' there"
            )
        if installed_version() != planned.tvm:
            raise UserError(
                f"this job was planned for TVM {planned.tvm}, but {installed_version()} is "
                "installed here; use the same environment everywhere"
            )
        return device

    def write_record(self, outputs: Sequence[Path], facts: dict[str, Any] | None = None) -> None:
        """Write the record of what was made; the last act of the work."""
        write_record(
            self.record, self.name, self.subject(), self.settings.record(),
            inputs=[*self.inputs(), *self.machine], outputs=list(dict.fromkeys(outputs)),
            facts=facts,
        )  # fmt: skip
