"""Ansor's search, as MetaSchedule has it: evolutionary search under a gradient scheduler."""

from rivulet.search.settings import SearchSettings
from rivulet.search.strategy import EvolutionarySearch

__all__ = ["EvolutionarySearch", "SearchSettings"]
