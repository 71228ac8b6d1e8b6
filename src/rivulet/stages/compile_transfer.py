"""Compile a model with the schedules of a pair's log."""

from __future__ import annotations

from pathlib import Path

from rivulet import paths
from rivulet.stages.compile import Compiling
from rivulet.stages.pair import PairStage
from rivulet.workflow.settings import Compile


class CompileTransfer(Compiling, PairStage[Compile]):
    """Of what continues from a transfer; a transfer's own model is compiled by its job."""

    about = "Compile a model, each kernel with its best schedule of a pair's log."
    keys = ("moved", "source", "target", "hardware", "log_kind", "trials")
    made = paths.COMPILED_MOVED

    @property
    def model(self) -> str:
        """Name of the target."""
        return self["target"]

    @property
    def log(self) -> Path:
        """Folder of the log."""
        return self.path(paths.MOVED_LOG)


STAGE = CompileTransfer
