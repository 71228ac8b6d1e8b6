"""Inputs that decide a shape or an axis, for which no schedule can be searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.models.value_flow import ValueFlow

# Operators to the inputs that say how large, or along which axis, and not what.
_DECIDES: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,), "ConstantOfShape": (0,), "CumSum": (1,), "Expand": (1,), "OneHot": (1,),
    "Pad": (1, 3), "Range": (0, 1, 2), "Reshape": (1,), "Resize": (2, 3), "Slice": (1, 2, 3, 4),
    "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Trilu": (1,), "Unsqueeze": (1,),
    "Upsample": (1,),
}  # fmt: skip


def refuse_shape_inputs(model: Any, inputs: list[dict[str, Any]], source: Path) -> None:
    """Refuse a model with an input whose values decide a shape or an axis.

    Args:
        model: ``onnx.ModelProto`` with fixed input shapes; its weights may be left out.
        inputs: Name, shape and dtype of each input.
        source: The user's file, for the error line.

    Raises:
        UserError: There is one.
    """
    # Sizes are short lists of integers, or of floats where they are scales.
    short = [one["name"] for one in inputs if len(one["shape"]) < 2]
    if not short:
        return
    flow = ValueFlow.of(model)
    for name in short:
        for node, place in flow.uses(name):
            if place in _places(node.op_type):
                what = f"{node.op_type} '{node.name}'" if node.name else node.op_type
                raise UserError(
                    f"{source}: input '{name}' decides a shape or an axis (of {what}), but "
                    "schedules are searched for fixed ones; make it a constant in the model"
                )


def _places(operator: str) -> tuple[int, ...]:
    if operator.startswith("Reduce"):
        return (1,)
    return _DECIDES.get(operator, ())
