"""Compile a model without any schedule."""

from __future__ import annotations

from rivulet import paths
from rivulet.methods import UNTUNED
from rivulet.stages.compile import Compiling


class CompileUntuned(Compiling):
    """As TVM compiles it by default."""

    about = "Compile a model with its default loops."
    keys = ("model", "hardware")
    made = paths.COMPILED_UNTUNED

    def subject(self) -> dict[str, str]:
        """The model, and that it is untuned."""
        return {"what": UNTUNED, **super().subject()}


STAGE = CompileUntuned
