"""What a league is run with: trials, processes, and the workflow's config for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league_parts.contestants import CONTESTANTS, TORCHVISION
from rivulet import paths
from rivulet.methods import ANSOR, DROPLET, ONNXRUNTIME, OPENVINO, TORCH_COMPILE
from rivulet.paths import COMPILED

HARDWARE = "local"
ORT, PEERS = ONNXRUNTIME, (ONNXRUNTIME, OPENVINO, TORCH_COMPILE)


@dataclass(frozen=True)
class Settings:
    """Sizes of a league.

    Attributes:
        trials: Trials of Ansor's search for each model.
        droplet_trials: Trials of the droplet search that follows.
        processes: New processes, at least, in which all is timed by turns.
        max_processes: Processes at most, where intervals stay wide.
        samples: Rounds of each process.
    """

    trials: int
    droplet_trials: int
    processes: int
    max_processes: int
    samples: int


FULL = Settings(trials=1000, droplet_trials=200, processes=4, max_processes=8, samples=15)
QUICK = Settings(trials=128, droplet_trials=32, processes=3, max_processes=3, samples=8)
QUICK_SECONDS = 15 * 60.0


def configuration(settings: Settings, folder: Path) -> dict[str, Any]:
    """The workflow's config; what it leaves out has its default.

    It names every contestant whose file is there, whichever are to be measured now, so that what
    was measured before stays known to the workflow.

    Args:
        settings: Of the league.
        folder: Where the workflow runs.
    """
    there = [
        one
        for one in CONTESTANTS
        if one.package == TORCHVISION or (folder / one.definition["onnx"]).exists()
    ]
    return {
        "models": {one.name: one.definition for one in there},
        "hardware": {HARDWARE: {}},
        "trials": [settings.trials],
        "pairs": [],
        "pool": False,
        "droplet": {"trials": settings.droplet_trials},
        "droplet_study": {"gain": False, "effect": False, "after_transfer": False},
        "benchmark": {
            "baselines": list(PEERS),
            "processes": settings.processes,
            "max_processes": settings.max_processes,
            "samples": settings.samples,
        },
    }


def library(method: str, model: str, settings: Settings) -> str:
    """Where the workflow puts a compiled model."""
    compiled = COMPILED.at(hardware=HARDWARE, own_log=method, trials=settings.trials)
    return (compiled + ".so").at(model=model)


ROOFLINE = (paths.ROOFLINE + ".csv").at(hardware=HARDWARE)


def wanted(model: str, settings: Settings) -> Sequence[str]:
    """Files that the workflow is asked for."""
    return (*(library(one, model, settings) for one in (ANSOR, DROPLET)), ROOFLINE)
