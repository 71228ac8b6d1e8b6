"""Which packages of tuned models a configuration can have."""

from __future__ import annotations

from itertools import product

from rivulet.config.model import Config
from rivulet.workflow.stages import (
    planned_hardware,
    refines_transfers,
    transfer_names,
    warm_targets,
)


def package_manifests(config: Config) -> list[str]:
    """The manifest of every package: of the models' own logs, and of transfers.

    Transfers are those from logs without droplet, alone and with droplet search after them.
    """
    own = [
        f"{model}-{log}-{trials}"
        for model, log, trials in product(config.models, ("ansor", "droplet"), config.trials)
    ]
    own += [f"{m}-warm-{trials}" for m, trials in product(warm_targets(config), config.trials)]
    kinds = ["transfer"] if "ansor" in config.logs else []
    kinds += ["transfer-droplet"] if refines_transfers(config) else []
    pairs = [name.partition("-to-")[::2] for name in transfer_names(config)]
    moved = [
        f"{target}-{kind}-from-{source}-{trials}"
        for kind, (source, target), trials in product(kinds, pairs, config.trials)
    ]
    return [
        f"results/{hardware}/library/{name}/manifest.json"
        for hardware, name in product(planned_hardware(config), [*own, *moved])
    ]
