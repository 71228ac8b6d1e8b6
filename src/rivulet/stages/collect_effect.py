"""Collect what droplet search changes for all pairs."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from rivulet import paths
from rivulet.stages.collect_gain import CollectDroplet


class CollectEffect(CollectDroplet):
    """What droplet search changes for the pairs, at each trial count."""

    about = "Collect what droplet search changes for all pairs."
    made = paths.EFFECT

    @property
    def tables(self) -> list[Path]:
        """One of each pair and trial count."""
        pattern, config = f"{paths.EFFECT_OF_PAIR}.csv", self.plan.config
        return [
            self.path(pattern, trials=trials, source=source, target=target)
            for trials, (source, target) in product(config.trials, config.pair_list)
        ]


STAGE = CollectEffect
