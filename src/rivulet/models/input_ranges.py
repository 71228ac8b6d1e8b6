"""Which values an integer input may have: told by what the graph does with them.

Token ids, positions and classes are indices of tables whose sizes are in the graph. A value beyond
the table stops ONNX Runtime and reads foreign memory in compiled code, so values cannot be drawn
without a look at the graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rivulet.models.inputs import default_range
from rivulet.models.value_flow import ValueFlow, attribute_of, casts_to_integers

_ALONG_AXIS = ("Gather", "GatherElements", "ScatterElements", "Scatter")
_ALONG_FIRST_AXES = ("GatherND", "ScatterND")
_AS_MASK = {
    "And", "CumSum", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mul", "Not",
    "Or", "Sub", "Xor",
}  # fmt: skip
_DIVIDES = {"Div", "Mod"}


@dataclass
class _Uses:
    """What the graph does with the values of one input.

    Attributes:
        sizes: Extents that they index.
        masks: Whether they are compared, multiplied or become floats or truth values.
        divides: Whether something is divided by them.
    """

    sizes: list[int] = field(default_factory=list)
    masks: bool = False
    divides: bool = False


def index_sizes(model: Any) -> dict[str, int]:
    """Inputs that are indices, to the smallest extent that they index.

    Args:
        model: ``onnx.ModelProto`` with fixed input shapes; its weights may be left out.
    """
    uses = _all_uses(model, [value.name for value in model.graph.input])
    return {name: min(one.sizes) for name, one in uses.items() if one.sizes}


def with_ranges(model: Any, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The inputs, with a range or the mark of a mask for each that is an integer.

    The smallest table that an input indexes decides. Where it indexes none, but is compared,
    multiplied or made a float, it is a mask.

    Args:
        model: As for `index_sizes`.
        inputs: Name, shape and dtype of each input.
    """
    names = [one["name"] for one in inputs if np.dtype(one["dtype"]).kind in "iu"]
    if not names:
        return inputs
    uses = _all_uses(model, names)
    return [
        {**one, **_told(uses[one["name"]], np.dtype(one["dtype"]))} if one["name"] in uses else one
        for one in inputs
    ]


def _told(uses: _Uses, dtype: np.dtype[Any]) -> dict[str, Any]:
    low, high = default_range(dtype)
    if uses.sizes:
        low, high = 0, min(*uses.sizes, int(np.iinfo(dtype).max) + 1)
    elif uses.masks and not uses.divides and dtype.itemsize > 1:
        return {"range": [0, 2], "mask": True}
    return {"range": [max(low, 1) if uses.divides else low, high]}


def _all_uses(model: Any, names: list[str]) -> dict[str, _Uses]:
    flow = ValueFlow.of(model)
    found = {}
    for name in names:
        uses = found[name] = _Uses()
        for node, place in flow.uses(name):
            _note(flow, node, place, uses)
    return found


def _note(flow: ValueFlow, node: Any, place: int, uses: _Uses) -> None:
    if size := _indexed(flow, node, place):
        uses.sizes.append(size)
    elif _takes_masks(node, place):
        uses.masks = True
    elif node.op_type in _DIVIDES and place == 1:
        uses.divides = True


def _indexed(flow: ValueFlow, node: Any, place: int) -> int:
    """The extent that a node indexes with what it reads at a place; 0 for none."""
    if node.op_type == "OneHot" and place == 0:
        classes = flow.constants.get(node.input[1])
        return 0 if classes is None else int(classes.reshape(-1)[0])
    shape = flow.shapes.get(node.input[0], [])
    if place != 1 or not shape:
        return 0
    if node.op_type in _ALONG_AXIS:
        return int(shape[attribute_of(node, "axis", 0)])
    if node.op_type in _ALONG_FIRST_AXES:
        begin = attribute_of(node, "batch_dims", 0)
        depth = (flow.shapes.get(node.input[1]) or [0])[-1]
        return min(shape[begin : begin + depth], default=0)
    return 0


def _takes_masks(node: Any, place: int) -> bool:
    if node.op_type == "Cast":
        return not casts_to_integers(node)
    return node.op_type in _AS_MASK or (node.op_type == "Where" and place == 0)
