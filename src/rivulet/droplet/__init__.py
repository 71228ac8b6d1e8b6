"""Droplet search: from the best schedule found, coordinate descent to a local optimum."""

from rivulet.droplet.settings import DropletSettings
from rivulet.droplet.source import SourceKernel, read_source
from rivulet.droplet.strategy import DropletSearch

__all__ = ["DropletSearch", "DropletSettings", "SourceKernel", "read_source"]
