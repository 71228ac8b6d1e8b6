"""Which packages of tuned models a configuration can have."""

from __future__ import annotations

from itertools import product

from rivulet import methods
from rivulet.config.model import Config
from rivulet.methods import ANSOR
from rivulet.paths import MOVED_PACKAGE, PACKAGE, Pattern
from rivulet.workflow.matrix import models_of, source_logs, transfers_of
from rivulet.workflow.stages import planned_hardware


def package_manifests(config: Config) -> list[str]:
    """The manifest of every package: of the models' own logs, and of transfers.

    Transfers are those from logs without droplet, alone and with droplet search after them.
    """
    folders: list[Pattern] = [
        PACKAGE.at(own_log=method.folder, model=model, trials=trials)
        for method in methods.own()
        for model, trials in product(models_of(config, method), config.trials)
    ]
    folders += [
        MOVED_PACKAGE.at(moved=method.folder, source=source, target=target, trials=trials)
        for method in methods.moved()
        if ANSOR in source_logs(config, method)
        for (source, target), trials in product(transfers_of(config), config.trials)
    ]
    return [
        folder.at(hardware=hardware) / "manifest.json"
        for hardware, folder in product(planned_hardware(config), folders)
    ]
