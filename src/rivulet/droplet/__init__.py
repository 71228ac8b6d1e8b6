"""Droplet search: from the best schedule found, coordinate descent to a local optimum."""

from rivulet.droplet.droplet import DropletSettings, refine_model

__all__ = ["DropletSettings", "refine_model"]
