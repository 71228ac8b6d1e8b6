"""Make what a transfer has compiled a folder that runs without this project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rivulet import paths
from rivulet.methods import ANSOR, moved
from rivulet.stages.package import Package


class PackageTransfer(Package):
    """Of a transfer from logs without droplet."""

    keys = ("moved", "target", "source", "hardware", "trials")
    words: ClassVar[Mapping[str, str]] = {"moved": "what", "target": "model"}
    made = paths.MOVED_PACKAGE

    @property
    def model(self) -> str:
        """Name of the target."""
        return self["target"]

    @property
    def compiled(self) -> Path:
        """The compiled model."""
        return self.path(f"{paths.COMPILED_MOVED}.so", log_kind=ANSOR)

    @property
    def compiled_record(self) -> Path:
        """The record that speaks for it."""
        (method,) = [one for one in moved() if one.folder == self["moved"]]
        return self.path(paths.compiled_record_of(method), log_kind=ANSOR)

    @property
    def log_record(self) -> Path:
        """Record of the transfer's log."""
        return self.path(paths.MOVED_LOG / paths.RECORD, log_kind=ANSOR)


STAGE = PackageTransfer
