"""Droplet search: from the best schedule found, coordinate descent to a local optimum."""

from rivulet.droplet.refine import refine_model
from rivulet.droplet.settings import DropletSettings
from rivulet.droplet.source import SourceKernel, read_source

__all__ = ["DropletSettings", "SourceKernel", "read_source", "refine_model"]
