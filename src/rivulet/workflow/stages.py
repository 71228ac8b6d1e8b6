"""What each stage's artefacts depend on: the part of the config whose change makes them stale."""

from __future__ import annotations

import hashlib
import importlib.metadata
from functools import cache
from typing import Any

from rivulet.config.model import Config
from rivulet.config.sections import Benchmark
from rivulet.hardware.fingerprint import Device, fingerprint
from rivulet.hardware.place import CPU
from rivulet.jobs.machine import FINGERPRINT_OF_NODE
from rivulet.methods import DROPLET, TRANSFER_DROPLET, UNTUNED, method_of, stage_sections
from rivulet.paths import POOL
from rivulet.provenance.code import code_digest
from rivulet.provenance.record import Record
from rivulet.tvm_compat import installed_version
from rivulet.workflow.matrix import makes, transfer_names

# Raised by hand when a stage's artefacts get another form or meaning; editing its code alone
# does not make expensive measurements stale. (That of exports is in rules/export_format.txt: an
# export needs an input, because Snakemake tells by the inputs' times what is out of date.)
FORMATS = {
    "machine": 1,
    "kernels": 2,
    "search": 2,
    "droplet": 2,
    "gain": 1,
    "effect": 1,
    "transfer": 2,
    "warm": 1,
    "ranking": 1,
    "similarity": 1,
    "compile": 2,
    "benchmark": 2,
    "roofline": 1,
    "package": 2,
    "collect": 1,
    "collect-droplet": 1,
    "report": 1,
}

# How many workers build, what memory they may take and when they are replaced changes no result.
_EXECUTION = ("build_workers", "worker_max_uses", "worker_memory_gib")


# Settings are asked for once for each pair and record, and reading a version opens files.
version = cache(importlib.metadata.version)


def device_of(config: Config, hardware: str) -> Device:
    """The configured device."""
    return Device.from_settings(hardware, config.plain["hardware"][hardware])


def planned_hardware(config: Config) -> list[str]:
    """The hardware whose results this workflow makes; others are copied here from elsewhere."""
    return [name for name, one in config.hardware.items() if one.at != "elsewhere"]


def execution_settings(config: Config) -> dict[str, Any]:
    """Settings that say how work is done and not what comes out."""
    return config.measure.model_dump(mode="json", include=set(_EXECUTION))


def connections_of(config: Config) -> dict[str, Any]:
    """How the hardware that is elsewhere is reached, by its name; it changes no result."""
    return {
        name: one.rpc.model_dump(mode="json")
        for name, one in config.hardware.items()
        if one.rpc is not None
    }


# What of a benchmark is about several variants or processes: a package is timed alone, in one.
_COMPARING = ("baselines", "processes", "max_processes", "precision")


def gain_trials(config: Config) -> tuple[list[int], int]:
    """Trial counts of Ansor's search that are of use to measure droplet's gain.

    Returns:
        The counts that cost as many candidates as a log with droplet, and the furthest one, which
        leaves room for a comparison at equal time too: a trial of droplet search takes longer.
    """
    budget = config.droplet.trials
    return [n + budget for n in config.trials], max(config.trials) + 2 * budget


def studies_gain(config: Config) -> bool:
    """Whether droplet's gain is measured."""
    return config.droplet_study.gain and config.droplet.trials > 0


def studies_effect(config: Config) -> bool:
    """Whether the pairs' variants without and with droplet are timed beside each other."""
    after = makes(config, method_of(TRANSFER_DROPLET))
    return config.droplet_study.effect and after and DROPLET in config.logs


def baselines_of(config: Config, model: str, hardware: str) -> list[str]:
    """What a model is timed beside on some hardware.

    PyTorch knows torchvision's models only; on a device over RPC there is TVM's runtime and
    nothing else; and the builds of the runtimes that are installed know no GPU.
    """
    device = device_of(config, hardware)
    if not device.is_here or device.kind != CPU:
        return [b for b in config.benchmark.baselines if b == UNTUNED]
    known = hasattr(config.models[model], "torchvision")
    return [b for b in config.benchmark.baselines if known or not b.startswith("torch")]


def transfer_sources(config: Config, source: str, target: str) -> list[str]:
    """The sources that a transfer takes schedules from: one, or all that make the pool."""
    return config.pool_of(target) if source == POOL else [source]


def _definition(data: dict[str, Any]) -> dict[str, Any]:
    """What a model or log is; its family decides which transfers there are, and changes none.

    A key that is not given is left out, so that a new one makes nothing stale.
    """
    return {k: value for k, value in data.items() if k != "family" and value is not None}


def _benchmark_tolerances(data: dict[str, Any]) -> dict[str, Any]:
    """What a search by droplet and a transfer know of the benchmark.

    Tolerances that are the default are left out, so that what was made before they counted there
    is not stale.
    """
    default = Benchmark()
    told = {
        key: value
        for key, value in data["benchmark"].items()
        if key.startswith("tolerance") and value != getattr(default, key)
    }
    return {"benchmark": told} if told else {}


def stage_settings(
    config: Config,
    stage: str,
    *,
    model: str | None = None,
    hardware: str | None = None,
    trials: int | None = None,
    source: str | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """Settings of one artefact, as they go into its record.

    Args:
        config: The configuration.
        stage: Stage of the workflow.
        model: Model, for the stages that depend on its definition.
        hardware: Hardware, for the stages that run on it.
        trials: Trial count, for logs.
        source: Source of a transfer: a model, a donor, or the pool.
        target: Target of a transfer.
    """
    data = config.plain
    settings: dict[str, Any] = {}
    sections = stage_sections()
    if stage in FORMATS or stage in sections:
        settings["format"] = FORMATS.get(stage, 1)
    if stage == "export":
        settings["model"] = _definition(data["models"][model])
        if "torchvision" in data["models"][model]:
            settings["torchvision"] = version("torchvision")
    if hardware is not None:
        device = device_of(config, hardware)
        settings["device"] = device.to_json()
        at_cluster = config.hardware[hardware].at == "cluster"
        settings["fingerprint"] = FINGERPRINT_OF_NODE if at_cluster else fingerprint(device)
        settings["tvm"] = installed_version()
    if stage in sections:
        settings["measure"] = {k: v for k, v in data["measure"].items() if k not in _EXECUTION}
        settings |= {section: data[section] for section in sections[stage]}
        if stage in ("droplet", "transfer"):
            settings |= _benchmark_tolerances(data)
        if stage != "droplet" and hardware is not None:  # it moves within the spaces of others
            settings["space"] = data["hardware"][hardware]["space"]
    if trials is not None:
        settings["trials"] = trials
    if stage in ("ranking", "similarity"):  # records call donors so since before they had that name
        settings["library"] = {k: _definition(v) for k, v in data["donors"].items()}
    if stage == "transfer":
        settings["compile"] = FORMATS["compile"]
    if stage == "transfer" and source is not None and target is not None:
        sources = transfer_sources(config, source, target)
        if source == POOL:  # of a pair they are in its name, and all pairs have the same settings
            settings["sources"] = sources
        elsewhere = [name for name in sources if name in config.donors]
        settings["library"] = {name: _definition(data["donors"][name]) for name in elsewhere}
    if stage == "package":
        settings["onnxruntime"] = version("onnxruntime")
        settings["benchmark"] = {k: v for k, v in data["benchmark"].items() if k not in _COMPARING}
    if stage in ("benchmark", "effect"):
        settings["benchmark"] = data["benchmark"]
        settings["onnxruntime"] = version("onnxruntime")
    if stage == "benchmark" and any(b.startswith("torch") for b in data["benchmark"]["baselines"]):
        settings["torch"] = version("torch")
    if stage == "benchmark" and "openvino" in data["benchmark"]["baselines"]:
        settings["openvino"] = version("openvino")
    if stage == "effect":
        settings["repetitions"] = data["droplet_study"]["repetitions"]
    if stage == "gain":
        settings["measure"] = {k: v for k, v in data["measure"].items() if k not in _EXECUTION}
        settings["rounds"] = data["droplet_study"]["rounds"]
        settings["significance"] = data["droplet"]["significance"]
        settings |= {
            key: data["benchmark"][key] for key in ("seed", "confidence", "bootstrap_resamples")
        }
    if stage in ("collect", "report"):
        # More names than a command line may hold, where the models are many.
        names = "\n".join(transfer_names(config))
        settings["pairs"] = hashlib.sha256(names.encode()).hexdigest()[:16]
    if stage == "collect":
        settings |= {key: data[key] for key in ("trials", "logs")}
        settings["hardware"] = list(data["hardware"])
    if stage == "report":
        settings |= {"config": data, "code": code_digest("report", "methods.py", "paths.py")}
    return settings


def settings_of(config: Config, record: Record, hardware: str | None) -> dict[str, Any] | None:
    """Settings that the configuration asks for now for what a record describes.

    Args:
        config: The configuration.
        record: The record.
        hardware: The hardware; None for the settings that depend on none.

    Returns:
        The settings; None for an artefact that the configuration does not name.
    """
    subject = record.subject
    names = [subject[key] for key in ("model", "target") if key in subject]
    if any(name not in config.models for name in names):
        return None
    source = subject.get("source")
    if source is not None and source not in (POOL, *config.models, *config.donors):
        return None
    trials = subject.get("trials")
    with_trials = record.stage in stage_sections()
    return stage_settings(
        config,
        record.stage,
        model=subject.get("model"),
        hardware=hardware,
        trials=int(trials) if trials is not None and with_trials else None,
        source=source,
        target=subject.get("target"),
    )
