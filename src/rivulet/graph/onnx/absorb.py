"""What follows a convolution or a matrix product, channel by channel, goes into its weights.

BatchNormalization is what this is for (Jacob et al., 2018, section 3.2), but also the scales and
shifts that exporters leave behind, and layer scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.graph.onnx.affine import PRODUCTS, affine
from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    attributes,
    drop_unread,
    is_operator,
    multiplied,
    readers,
    replace_nodes,
    tensor,
)
from rivulet.graph.onnx.static_shapes import static_shapes

# Results all smaller than this would lose digits as weights of single precision.
_SMALLEST = 1e-30


def absorb_scales(model: Any) -> int:
    """Fold nodes that scale and shift channels into the product before them.

    They have to be all that reads it, and its weights have to be known. Computed in double
    precision and rounded once.

    Args:
        model: ``onnx.ModelProto`` of opset 13 or newer, changed in place.

    Returns:
        Number of nodes that are gone.
    """
    graph = model.graph
    if not any(is_operator(node, *PRODUCTS) for node in graph.node):
        return 0
    shapes, constants = static_shapes(model), Constants(graph)
    count, fresh = readers(graph), Fresh(graph)
    reader = {name: node for node in graph.node for name in node.input if count[name] == 1}
    gone: set[str] = set()
    nodes: list[Any] = []
    for node in graph.node:
        if node.output and node.output[0] in gone:
            continue
        if is_operator(node, *PRODUCTS):
            chain = _chain(node, reader, constants, shapes)
            if chain is not None:
                gone.update(chain.made)
                nodes.extend(_absorbed(graph, node, chain, constants, fresh=fresh))
                continue
        nodes.append(node)
    if gone:
        replace_nodes(graph, nodes)
        drop_unread(graph)
    return len(gone)


@dataclass(frozen=True)
class _Chain:
    """Nodes behind a product that can go into it.

    Attributes:
        made: What they make, in their order.
        weights: The product's new weights.
        bias: Its new bias, shape (channels,).
        split: Whether the bias stays a node of its own.
    """

    made: list[str]
    weights: np.ndarray
    bias: np.ndarray
    split: bool


def _chain(
    node: Any,
    reader: dict[str, Any],
    constants: Constants,
    shapes: dict[str, tuple[int, ...]],
) -> _Chain | None:
    shape = shapes.get(node.output[0], ())
    if len(shape) < 2 or len(node.input) < 2 or node.input[1] not in constants:
        return None
    axis = len(shape) - 1 if node.op_type == "MatMul" else 1
    bias = _bias(node, constants, shape[axis])
    if bias is None:
        return None
    scale, shift, made = np.ones(shape[axis]), bias, []
    name, operators = node.output[0], []
    while (following := reader.get(name)) is not None:
        if shapes.get(following.output[0]) != shape:
            break
        step = affine(following, constants, shape, axis)
        if step is None or step.source != name:
            break
        scale, shift = step.after(scale, shift)
        name = following.output[0]
        made.append(name)
        operators.append(following.op_type)
    split = node.op_type == "MatMul"
    if not made or (split and operators == ["Add"]):
        return None
    weights = constants.value(node.input[1])
    assert weights is not None
    if weights.dtype.kind != "f" or (split and weights.ndim != 2):
        return None
    scaled = multiplied(weights, _along_outputs(scale, node, weights))
    with np.errstate(over="ignore"):  # seen below
        shifted = shift.astype(weights.dtype)
    if not _usable(weights, scaled) or not np.isfinite(shifted).all():
        return None
    return _Chain(made, scaled, shifted, split)


def _usable(weights: np.ndarray, scaled: np.ndarray) -> bool:
    """Whether scaled weights are finite, and not all so small that they have lost digits."""
    largest = max(float(scaled.max(initial=0)), -float(scaled.min(initial=0)))
    return bool(np.isfinite(largest)) and (largest >= _SMALLEST or not weights.any())


def _bias(node: Any, constants: Constants, channels: int) -> np.ndarray | None:
    """Bias of a product in double precision; None where it is not known or no vector."""
    options = attributes(node)
    if options.get("alpha", 1.0) != 1 or options.get("beta", 1.0) != 1 or options.get("transA"):
        return None
    if node.op_type == "MatMul" or len(node.input) < 3 or not node.input[2]:
        return np.zeros(channels)
    value = constants.value(node.input[2])
    if value is None or (value.size != 1 and (value.size, value.shape[-1]) != (channels,) * 2):
        return None
    return np.broadcast_to(value.reshape(-1).astype(np.float64), (channels,))


def _along_outputs(scale: np.ndarray, node: Any, weights: np.ndarray) -> np.ndarray:
    """The scale of each output channel, in a shape that multiplies the weights."""
    options = attributes(node)
    if node.op_type == "Conv":
        return scale.reshape(-1, *(1,) * (weights.ndim - 1))
    if node.op_type == "ConvTranspose":  # weights are (inputs, outputs of a group, ...)
        groups = options.get("group", 1)
        each = np.repeat(scale.reshape(groups, -1), weights.shape[0] // groups, axis=0)
        return each.reshape(*weights.shape[:2], *(1,) * (weights.ndim - 2))
    return scale.reshape(-1, 1) if options.get("transB") else scale.reshape(1, -1)


def _absorbed(
    graph: Any, node: Any, chain: _Chain, constants: Constants, *, fresh: Fresh
) -> list[Any]:
    """The product with its new weights, and a node for the bias where it takes none."""
    import onnx

    output = chain.made[-1]
    weights = fresh(f"{output}/weights")
    graph.initializer.append(tensor(weights, chain.weights))
    node.input[1] = weights
    bias = fresh(f"{output}/bias") if chain.bias.any() else ""
    if bias:
        graph.initializer.append(tensor(bias, chain.bias))
    if chain.split and bias:
        return [node, onnx.helper.make_node("Add", [node.output[0], bias], [output])]
    node.output[0] = output
    del node.input[2:]
    node.input.extend([bias] if bias else [])
    return [node]
