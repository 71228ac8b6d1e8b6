"""The settings of a search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSettings:
    """The config's ``search`` settings.

    Attributes:
        seed: Seed of proposals and of the cost model.
        batch_size: Candidates measured per round of one kernel.
        population: Candidates that the cost model ranks per round.
        generations: Generations that a population evolves per round.
        mutation_probability: That a child of a measured candidate is mutated.
        random_share: Share of a batch that is picked at random.
        cost_model: ``xgb`` or ``random``.
        scheduler_alpha: Weight of the recent improvement in the task scheduler.
        scheduler_window: Rounds that it takes as recent.
    """

    seed: int
    batch_size: int
    population: int
    generations: int
    mutation_probability: float
    random_share: float
    cost_model: str
    scheduler_alpha: float
    scheduler_window: int
