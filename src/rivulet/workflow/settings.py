"""What each stage's artefacts depend on: the part of the config whose change makes them stale.

A stage's settings are one class, whose fields are filled in by their names from the plan and from
what the artefact is of. Their record goes into the artefact's and into Snakemake's parameters.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from rivulet.config.model import Config
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
from rivulet.provenance.code import code_digest
from rivulet.provenance.record import Record
from rivulet.workflow.choices import transfer_sources
from rivulet.workflow.matrix import transfer_names
from rivulet.workflow.plan import Plan

COMPILED_FORMAT = 2  # a transfer's too
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

# Settings are asked for once for each pair and record, and reading a version opens files.
version = cache(importlib.metadata.version)


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
        asked = _Asked(plan, values)
        return cls(**{one.name: _part(one.name, asked) for one in fields(cls)})

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


@dataclass(frozen=True)
class _Asked:
    """What settings are asked for."""

    plan: Plan
    values: Mapping[str, Any]

    @property
    def config(self) -> Config:
        return self.plan.config

    @property
    def hardware(self) -> str:
        return str(self.values["hardware"])

    @property
    def data(self) -> dict[str, Any]:
        return self.config.plain

    @property
    def definition(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data["models"][self.values["model"]]
        return found

    @property
    def from_torchvision(self) -> bool:
        return "torchvision" in self.definition

    @property
    def benchmark(self) -> dict[str, Any]:
        section: dict[str, Any] = self.data["benchmark"]
        return section

    @property
    def sources(self) -> list[str]:
        return transfer_sources(self.config, self.values["source"], self.values["target"])


def _definition(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a model or log is; its family decides which transfers there are, and changes none.

    A key that is not given is left out, so that a new one makes nothing stale.
    """
    return {k: value for k, value in data.items() if k != "family" and value is not None}


def _tolerances(asked: _Asked) -> dict[str, Any] | None:
    """What a search by droplet and a transfer know of the benchmark.

    Tolerances that are the default are left out, so that what was made before they counted there
    is not stale.
    """
    default = Benchmark()
    told = {
        key: value
        for key, value in asked.benchmark.items()
        if key.startswith("tolerance") and value != getattr(default, key)
    }
    return told or None


def _installed(name: str, wanted: Callable[[str], bool]) -> Callable[[_Asked], str | None]:
    """Version of a runtime where some baseline of the config needs it."""
    return lambda asked: version(name) if any(map(wanted, asked.benchmark["baselines"])) else None


def _taken_sources(asked: _Asked) -> list[str] | None:
    """Sources of a pool: those of a pair are in its name, and all pairs have the same settings."""
    return asked.sources if asked.values.get("source") == POOL else None


def _taken_donors(asked: _Asked) -> dict[str, Any] | None:
    """Donors among the sources of a transfer."""
    if "source" not in asked.values:
        return None
    donors = [name for name in asked.sources if name in asked.config.donors]
    return {name: _definition(asked.data["donors"][name]) for name in donors}


def _pairs(asked: _Asked) -> str:
    """Names of all pairs: more than a command line may hold, where the models are many."""
    names = "\n".join(transfer_names(asked.config))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


# Each part of the settings.
_PARTS: dict[str, Callable[[_Asked], Any]] = {
    "device": lambda asked: asked.plan.planned(asked.hardware).device,
    "fingerprint": lambda asked: asked.plan.planned(asked.hardware).fingerprint,
    "tvm": lambda asked: asked.plan.tvm,
    "model": lambda asked: _definition(asked.definition),
    "torchvision": lambda asked: version("torchvision") if asked.from_torchvision else None,
    "space": lambda asked: asked.config.hardware[asked.hardware].space,
    "trials": lambda asked: asked.values.get("trials"),
    "tolerances": _tolerances,
    "compile": lambda _: COMPILED_FORMAT,
    "sources": _taken_sources,
    "taken_donors": _taken_donors,
    "donors": lambda asked: {k: _definition(one) for k, one in asked.data["donors"].items()},
    "timing": lambda asked: asked.config.benchmark,
    "onnxruntime": lambda _: version("onnxruntime"),
    "torch": _installed("torch", lambda baseline: baseline.startswith("torch")),
    "openvino": _installed("openvino", lambda baseline: baseline == "openvino"),
    "repetitions": lambda asked: asked.config.droplet_study.repetitions,
    "rounds": lambda asked: asked.config.droplet_study.rounds,
    "significance": lambda asked: asked.config.droplet.significance,
    "seed": lambda asked: asked.config.benchmark.seed,
    "confidence": lambda asked: asked.config.benchmark.confidence,
    "bootstrap_resamples": lambda asked: asked.config.benchmark.bootstrap_resamples,
    "pairs": _pairs,
    "counts": lambda asked: list(asked.config.trials),
    "logs": lambda asked: list(asked.config.logs),
    "hardware": lambda asked: list(asked.config.hardware),
    "config": lambda asked: asked.data,
    "code": lambda _: code_digest("report", "methods.py", "paths.py"),
}


def _part(name: str, asked: _Asked) -> Any:
    """A part of the settings; one without a line of its own is a section of the config."""
    return _PARTS[name](asked) if name in _PARTS else getattr(asked.config, name)


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
