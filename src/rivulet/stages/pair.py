"""What the stages of a pair have in common: a source, a target, and the name of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from rivulet import paths
from rivulet.stages.stage import Stage
from rivulet.stages.tuning import LogStage, MeasuringT
from rivulet.workflow.settings import StageSettings

SettingsT = TypeVar("SettingsT", bound=StageSettings)


class PairStage(Stage[SettingsT]):
    """A stage of a pair, whose model is the target."""

    keys: ClassVar[tuple[str, ...]] = ("source", "target", "hardware", "log_kind", "trials")

    words: ClassVar[Mapping[str, str]] = {"log_kind": "log", "moved": "what"}

    def subject(self) -> dict[str, str]:
        """The pair, by its name and in its parts."""
        return {"name": str(self.path(paths.PAIR)), **super().subject()}

    @property
    def onnx(self) -> Path:
        """The exported target."""
        return self.path(f"{paths.MODEL}.onnx", model=self["target"])

    @property
    def model_record(self) -> Path:
        """Its record."""
        return self.onnx.with_suffix(".json")


class PairLogStage(LogStage[MeasuringT], PairStage[MeasuringT]):
    """A stage that makes a log of a pair."""

    @property
    def workloads(self) -> Path:
        """Those of the target."""
        return self.path(paths.WORKLOADS, model=self["target"])

    @property
    def kernels_record(self) -> Path:
        """That of the target."""
        return self.path(f"{paths.KERNELS}.json", model=self["target"])
