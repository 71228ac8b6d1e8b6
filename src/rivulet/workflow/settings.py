"""What each stage's artefacts depend on: the part of the config whose change makes them stale.

A stage's settings are one class, whose fields are filled in by their names from the plan and from
what the artefact is of. Their record goes into the artefact's and into Snakemake's parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from rivulet.config.sections import (
    Benchmark,
    Droplet,
    Measure,
    Search,
    Transfer,
    WarmStart,
)
from rivulet.methods import stage_sections
from rivulet.paths import POOL
from rivulet.provenance.record import Record
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings_parts import COMPILED_FORMAT, Asked, part

# What of a section changes no result.
_LEFT_OUT = {
    # How many workers build, what memory they may take and when they are replaced.
    "measure": {"build_workers", "worker_max_uses", "worker_memory_gib"},
    # What is about several variants or processes: a package is timed alone, in one.
    "timing": {"baselines", "processes", "max_processes", "precision"},
}
# Fields that records have under another name: they are parts of a section, or got theirs later.
_WRITTEN = {
    "timing": "benchmark", "tolerances": "benchmark", "donors": "library",
    "taken_donors": "library", "counts": "trials",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """Settings of an artefact.

    Attributes:
        FORMAT: Raised by hand when a stage's artefacts get another form or meaning; editing its
            code alone does not make expensive measurements stale. Exports have none: theirs is in
            rules/export_format.txt, because an export needs an input by whose time Snakemake
            tells what is out of date.
    """

    FORMAT: ClassVar[int | None] = 1

    @classmethod
    def of(cls, plan: Plan, values: Mapping[str, Any]) -> Self:
        """The settings of an artefact.

        Args:
            plan: The plan.
            values: What it is of, by the names of wildcards.
        """
        asked = Asked(plan, values)
        return cls(**{one.name: part(one.name, asked) for one in fields(cls)})

    def record(self) -> dict[str, Any]:
        """As JSON values; what does not apply is left out."""
        found: dict[str, Any] = {} if self.FORMAT is None else {"format": self.FORMAT}
        for one in fields(self):
            value = _plain(one.name, getattr(self, one.name))
            if value is not None:
                found[_WRITTEN.get(one.name, one.name)] = value
        return found


def _plain(name: str, value: Any) -> Any:
    """A value as the record has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude=_LEFT_OUT.get(name))
    return value


@dataclass(frozen=True, kw_only=True)
class Export(StageSettings):
    """Of an exported model."""

    FORMAT = None
    model: dict[str, Any]
    torchvision: str | None


@dataclass(frozen=True, kw_only=True)
class OnHardware(StageSettings):
    """Of all that depends on the hardware."""

    device: str
    fingerprint: str
    tvm: str


@dataclass(frozen=True, kw_only=True)
class Kernels(OnHardware):
    """Of a model's kernels."""

    FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Compile(OnHardware):
    """Of a compiled model."""

    FORMAT = COMPILED_FORMAT


@dataclass(frozen=True, kw_only=True)
class Measuring(OnHardware):
    """Of all for which candidates are measured."""

    measure: Measure


@dataclass(frozen=True, kw_only=True)
class Searching(Measuring):
    """Of a log that one trial count is asked for, with schedules drawn from a space."""

    FORMAT = 2
    search: Search
    space: str
    trials: int


@dataclass(frozen=True, kw_only=True)
class Warm(Searching):
    """Of a search that starts from a transfer."""

    FORMAT = 1
    warm_start: WarmStart


@dataclass(frozen=True, kw_only=True)
class Refining(Measuring):
    """Of a log with droplet, which moves within the spaces of others."""

    FORMAT = 2
    droplet: Droplet
    trials: int
    tolerances: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Transferring(Measuring):
    """Of a transfer, which compiles the model too."""

    FORMAT = 2
    transfer: Transfer
    space: str
    trials: int
    tolerances: dict[str, Any] | None
    compile: int
    sources: list[str] | None
    taken_donors: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Ranking(OnHardware):
    """Of a ranking of sources."""

    donors: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Benchmarking(OnHardware):
    """Of a pair's table."""

    FORMAT = 2
    benchmark: Benchmark
    onnxruntime: str
    torch: str | None
    openvino: str | None


@dataclass(frozen=True, kw_only=True)
class Effect(OnHardware):
    """Of what droplet search changes for a pair."""

    benchmark: Benchmark
    onnxruntime: str
    repetitions: int


@dataclass(frozen=True, kw_only=True)
class Gain(Measuring):
    """Of what droplet search gains on a model's logs."""

    rounds: int
    significance: float
    seed: int
    confidence: float
    bootstrap_resamples: int


@dataclass(frozen=True, kw_only=True)
class Packaging(OnHardware):
    """Of a package."""

    FORMAT = 2
    timing: Benchmark
    onnxruntime: str


@dataclass(frozen=True, kw_only=True)
class Collecting(StageSettings):
    """Of the table of all pairs."""

    pairs: str
    counts: list[int]
    logs: list[str]
    hardware: list[str]


@dataclass(frozen=True, kw_only=True)
class Reporting(StageSettings):
    """Of the report."""

    pairs: str
    config: dict[str, Any]
    code: str


SETTINGS: dict[str, type[StageSettings]] = {
    "machine": OnHardware,
    "export": Export,
    "kernels": Kernels,
    "search": Searching,
    "warm": Warm,
    "droplet": Refining,
    "transfer": Transferring,
    "ranking": Ranking,
    "similarity": Ranking,
    "compile": Compile,
    "roofline": OnHardware,
    "benchmark": Benchmarking,
    "package": Packaging,
    "gain": Gain,
    "effect": Effect,
    "collect": Collecting,
    "collect-droplet": StageSettings,
    "report": Reporting,
}


@cache
def settings_class(stage: str) -> type[StageSettings]:
    """The class of a stage's settings.

    That of a method which is not named above is made of the sections of the config that the table
    of methods tells.
    """
    if stage in SETTINGS:
        return SETTINGS[stage]
    sections = [(name, BaseModel) for name in stage_sections()[stage]]
    return make_dataclass(
        stage, [*sections, ("space", str), ("trials", int)], bases=(Measuring,), frozen=True,
        kw_only=True,
    )  # fmt: skip


def stage_settings(plan: Plan, stage: str, **values: Any) -> dict[str, Any]:
    """Settings of one artefact, as they go into its record.

    Args:
        plan: The plan.
        stage: Stage of the workflow.
        values: What the artefact is of, by the names of wildcards.
    """
    return settings_class(stage).of(plan, values).record()


def settings_of(plan: Plan, record: Record, hardware: str | None) -> dict[str, Any] | None:
    """Settings that the configuration asks for now for what a record describes.

    Args:
        plan: The plan.
        record: The record.
        hardware: The hardware; None for the settings that depend on none.

    Returns:
        The settings; None for an artefact that the configuration does not name.
    """
    subject, config = record.subject, plan.config
    names = [subject[key] for key in ("model", "target") if key in subject]
    if any(name not in config.models for name in names):
        return None
    source = subject.get("source")
    if source is not None and source not in (POOL, *config.models, *config.donors):
        return None
    known = ("model", "source", "target")
    values: dict[str, Any] = {key: subject[key] for key in known if key in subject}
    if hardware is not None:
        values["hardware"] = hardware
    if "trials" in subject:
        values["trials"] = int(subject["trials"])
    return stage_settings(plan, record.stage, **values)
