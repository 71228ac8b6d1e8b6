"""Which packages of tuned models a configuration can have."""

from __future__ import annotations

from itertools import product

from rivulet import methods
from rivulet.config.model import Config
from rivulet.methods import ANSOR
from rivulet.paths import MOVED_PACKAGE, PACKAGE
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.matrix import models_of, source_logs, transfers_of


def package_manifests(config: Config) -> list[str]:
    """The manifest of every package: of the models' own logs, and of transfers.

    Transfers are those from logs without droplet, alone and with droplet search after them.
    """
    hardware = planned_hardware(config)
    own = [
        PACKAGE.format(hardware=name, own_log=method.folder, model=model, trials=trials)
        for name, method in product(hardware, methods.own())
        for model, trials in product(models_of(config, method), config.trials)
    ]
    moved = [
        MOVED_PACKAGE.format(
            hardware=name, moved=method.folder, source=source, target=target, trials=trials
        )
        for name, method in product(hardware, methods.moved())
        if ANSOR in source_logs(config, method)
        for (source, target), trials in product(transfers_of(config), config.trials)
    ]
    return [f"{folder}/manifest.json" for folder in [*own, *moved]]
