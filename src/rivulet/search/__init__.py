"""Ansor's search, as MetaSchedule has it: evolutionary search under a gradient scheduler."""

from rivulet.search.search import search_model

__all__ = ["search_model"]
