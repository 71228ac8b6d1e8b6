"""Which runs the sections need, in what order, and what conditions they share."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.run import Run
from rivulet.hardware.fingerprint import Device, fingerprint
from rivulet.provenance.code import code_digest, stage_code
from rivulet.tvm_compat import installed_version

# Raised by hand when what a run does, or writes, changes in a way that makes kept runs wrong.
FORMAT = 1
SECTIONS = ("throughput", "first_trial", "quality", "growth", "onnxruntime")
STOCK_BATCH = 64
# Seconds that things take on two cores, to tell a person how long a run may last.
_START, _OUR_TRIAL, _PEER_TRIAL, _PEER_ROUND = 15.0, 0.25, 0.6, 12.0


@dataclass(frozen=True)
class Options:
    """What the comparison is asked to do; the command line explains each.

    Attributes:
        sections: Of `SECTIONS`.
        quick: A rough answer.
        throughput_model: Model of the throughput section.
        throughput_trials: Its budget.
        peer_batch: The peer's batch in the throughput section; None to derive it.
        repeats: Its runs of each side.
        stock_batch: Run the peer with its default batch as well.
        size: Height and width of the inputs, but for quality.
        quality_models: Models of the quality section.
        quality_size: Height and width of their inputs.
        quality_trials: Budget of each search.
        quality_peer_batch: The peer's batch there; None to derive it.
        seeds: Seeds of the searches.
        rounds: Samples of each winner.
        growth_trials: Trials of the growth section.
        models: Models of the ONNX Runtime section.
        trials: Budget of their searches.
    """

    sections: tuple[str, ...]
    quick: bool
    throughput_model: str
    throughput_trials: int
    peer_batch: int | None
    repeats: int
    stock_batch: bool
    size: int
    quality_models: tuple[str, ...]
    quality_size: int
    quality_trials: int
    quality_peer_batch: int | None
    seeds: tuple[int, ...]
    rounds: int
    growth_trials: int
    models: tuple[str, ...]
    trials: int


@dataclass(frozen=True)
class Conditions:
    """What is equal for all runs.

    Attributes:
        device: The device.
        search: The config's ``search`` settings, seed left out.
        measure: The config's ``measure`` settings.
        benchmark: The config's ``benchmark`` settings.
        seed: Seed of the runs that need only one.
    """

    device: Device
    search: Mapping[str, Any]
    measure: Mapping[str, Any]
    benchmark: Mapping[str, Any]
    seed: int

    @property
    def shared_measure(self) -> dict[str, Any]:
        """How both searches time candidates: the stock tuner cannot keep weights cold."""
        return {**self.measure, "cold_weights": False}

    def as_spec(self) -> dict[str, Any]:
        """The part of every specification that names the device and TVM."""
        return {
            "format": FORMAT,
            "device": self.device.to_json(),
            "fingerprint": fingerprint(self.device),
            "tvm": installed_version(),
        }


def peer_batch(trials: int, kernels: int) -> int:
    """Candidates per round of the peer, so that each kernel gets trials.

    The stock scheduler begins with a whole batch for every kernel. With half of the budget spent
    on that, every kernel has a schedule and the other half goes where it matters, which is the
    rule that Rivulet's search follows. Never more than the peer's default.
    """
    return max(1, min(STOCK_BATCH, trials // (2 * max(1, kernels))))


class Planner:
    """Makes the runs of one invocation.

    Args:
        conditions: What they share.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions

    def prepared(self, model: str, size: int) -> Run:
        """Export a model and extract its kernels."""
        spec = {
            "model": model, "size": size, "weights_seed": 0, "code": stage_code("kernels"),
            **self._conditions.as_spec(),
        }  # fmt: skip
        return Run(
            "prepare", f"export {model} at {size} x {size} and extract its kernels", spec, 40
        )

    def ours(self, model: str, size: int, trials: int, seed: int, repeat: int = 1) -> Run:
        """A search of ours, candidates timed as the peer times them."""
        return self._ours(self._search(model, size, trials, seed, repeat))

    def own(self, model: str, size: int, trials: int, seed: int) -> Run:
        """A search of ours with the config's own settings of measurement."""
        spec = self._search(model, size, trials, seed, 1)
        return self._ours(spec | {"measure": dict(self._conditions.measure)})

    def _ours(self, spec: dict[str, Any]) -> Run:
        trials = spec["trials"]
        search = {key: value for key, value in self._conditions.search.items() if key != "seed"}
        spec |= {"search": search, "code": stage_code("search")}
        label = f"Rivulet's search: {_subject(spec)}, run {spec['repeat']}"
        return Run("ours", label, spec, _START + trials * _OUR_TRIAL, trials)

    def peer(
        self, model: str, size: int, trials: int, seed: int, batch: int, repeat: int = 1
    ) -> Run:
        """A search of the stock tuner."""
        spec = self._search(model, size, trials, seed, repeat) | {"batch": batch}
        label = f"the stock tuner, {batch} per batch: {_subject(spec)}, run {repeat}"
        seconds = _START + trials * _PEER_TRIAL + math.ceil(trials / batch) * _PEER_ROUND
        return Run("peer", label, spec, seconds, trials)

    def remeasured(self, ours: Run, peer: Run, rounds: int) -> Run:
        """Measure the winners of two searches again."""
        keys = ("model", "size", "trials", "seed", "prepared", "measure")
        spec = {key: ours.spec[key] for key in keys}
        spec |= {"ours": ours.name, "peer": peer.name, "rounds": rounds}
        spec |= self._conditions.as_spec()
        label = f"winners of {_subject(spec)}, measured again in turns"
        return Run("remeasure", label, spec, 30 + 5.0 * rounds)

    def whole_model(self, ours: Run, inputs: list[dict[str, Any]]) -> Run:
        """Time a compiled model beside ONNX Runtime."""
        spec = {key: ours.spec[key] for key in ("model", "size", "trials", "seed", "prepared")}
        spec |= {"ours": ours.name, "inputs": inputs, "benchmark": self._conditions.benchmark}
        spec |= {"code": stage_code("benchmark"), **self._conditions.as_spec()}
        total = self._conditions.benchmark["samples"]
        return Run("whole_model", f"{_subject(spec)} beside ONNX Runtime", spec, 60, total)

    def growth(self, trials: int, script: Path) -> Run:
        """How the cost of a batch grows with the log."""
        spec = {
            "trials": trials,
            "arguments": [
                "--trials", str(trials), "--threads", str(self._conditions.device.threads),
                "--settings", json.dumps(dict(self._conditions.search), sort_keys=True),
                "--out", "batches.csv",
            ],
            "keys": ["batch_cost_growth", "rss_gib"],
            "script": hashlib.sha256(script.read_bytes()).hexdigest()[:16],
            "code": code_digest("search", "schedules", "records", "measure", "tvm_compat"),
            **self._conditions.as_spec(),
        }  # fmt: skip
        return Run(script.name, f"cost of a batch over {trials} trials", spec, 0.25 * trials)

    def _search(self, model: str, size: int, trials: int, seed: int, repeat: int) -> dict[str, Any]:
        return {
            "model": model, "size": size, "trials": trials, "seed": seed, "repeat": repeat,
            "measure": self._conditions.shared_measure,
            "prepared": self.prepared(model, size).name, **self._conditions.as_spec(),
        }  # fmt: skip


def _subject(spec: Mapping[str, Any]) -> str:
    return (
        f"{spec['model']} at {spec['size']} x {spec['size']}, {spec['trials']} trials, "
        f"seed {spec['seed']}"
    )
