"""The parts that stages' settings are made of: each is found in the plan by its name."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rivulet.config.model import Config
from rivulet.config.sections import Benchmark
from rivulet.paths import POOL
from rivulet.provenance.code import code_digest
from rivulet.workflow.choices import transfer_sources
from rivulet.workflow.matrix import transfer_names
from rivulet.workflow.plan import Plan

COMPILED_FORMAT = 2  # a transfer's too

# Settings are asked for once for each pair and record, and reading a version opens files.
version = cache(importlib.metadata.version)


@dataclass(frozen=True)
class Asked:
    """What settings are asked for.

    Attributes:
        plan: The plan.
        values: What the artefact is of, by the names of wildcards.
    """

    plan: Plan
    values: Mapping[str, Any]

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.plan.config

    @property
    def hardware(self) -> str:
        """Name of the hardware."""
        return str(self.values["hardware"])

    @property
    def data(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return self.config.plain

    @property
    def definition(self) -> dict[str, Any]:
        """The model's entry in it."""
        found: dict[str, Any] = self.data["models"][self.values["model"]]
        return found

    @property
    def from_torchvision(self) -> bool:
        """Whether the model is one of torchvision's."""
        return "torchvision" in self.definition

    @property
    def benchmark(self) -> dict[str, Any]:
        """The section of the benchmark."""
        section: dict[str, Any] = self.data["benchmark"]
        return section

    @property
    def sources(self) -> list[str]:
        """The sources of the transfer."""
        return transfer_sources(self.config, self.values["source"], self.values["target"])


def _definition(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a model or log is; its family decides which transfers there are, and changes none.

    A key that is not given is left out, so that a new one makes nothing stale.
    """
    return {k: value for k, value in data.items() if k != "family" and value is not None}


def _tolerances(asked: Asked) -> dict[str, Any] | None:
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


def _installed(name: str, wanted: Callable[[str], bool]) -> Callable[[Asked], str | None]:
    """Version of a runtime where some baseline of the config needs it."""
    return lambda asked: version(name) if any(map(wanted, asked.benchmark["baselines"])) else None


def _taken_sources(asked: Asked) -> list[str] | None:
    """Sources of a pool: those of a pair are in its name, and all pairs have the same settings."""
    return asked.sources if asked.values.get("source") == POOL else None


def _taken_donors(asked: Asked) -> dict[str, Any] | None:
    """Donors among the sources of a transfer."""
    if "source" not in asked.values:
        return None
    donors = [name for name in asked.sources if name in asked.config.donors]
    return {name: _definition(asked.data["donors"][name]) for name in donors}


def _pairs(asked: Asked) -> str:
    """Names of all pairs: more than a command line may hold, where the models are many."""
    names = "\n".join(transfer_names(asked.config))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


# Each part of the settings.
_PARTS: dict[str, Callable[[Asked], Any]] = {
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


def part(name: str, asked: Asked) -> Any:
    """A part of the settings; one without a line of its own is a section of the config."""
    return _PARTS[name](asked) if name in _PARTS else getattr(asked.config, name)
