"""The settings of a droplet search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DropletSettings:
    """The config's ``droplet`` settings that govern a descent.

    Attributes:
        seed: Seed of orders and of the cost model.
        trials: New candidates measured, at most.
        significance: Share of races without a faster challenger that may end with a move.
        confirm_repeats: Samples of each in a race's first look.
        neighbours_per_round: New candidates measured per round of one kernel.
        starts: Schedules of a kernel that a descent may begin from.
        tolerance: Largest relative error of an output that counts as right.
    """

    seed: int
    trials: int
    significance: float
    confirm_repeats: int
    neighbours_per_round: int
    starts: int
    tolerance: float
