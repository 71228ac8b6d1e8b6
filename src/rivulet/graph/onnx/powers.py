"""Powers and quotients by constants, as the operations that processors have."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.onnx.editing import (
    Constants,
    Fresh,
    all_nodes,
    constant,
    is_operator,
    replace_nodes,
    tensor,
)
from rivulet.graph.onnx.static_shapes import static_types

# By exponent, what follows what; "Mul" multiplies with the base.
_CHAINS: dict[float, tuple[str, ...]] = {
    1.0: ("Identity",),
    2.0: ("Mul",),
    3.0: ("Mul", "Mul"),
    4.0: ("Mul", "Square"),
    0.5: ("Sqrt",),
    -0.5: ("Sqrt", "Reciprocal"),
    -1.0: ("Reciprocal",),
    -2.0: ("Mul", "Reciprocal"),
}
# What integers have as well; ONNX has roots and reciprocals of floats alone.
_WHOLE = {"Identity", "Mul", "Square"}

# Behind these a last digit is a whole step: three thirds must not come out below one.
_STEPS = (
    "Cast", "Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod",
    "QuantizeLinear", "Round",
)  # fmt: skip


def powers_to_products(model: Any) -> int:
    """Write Pow with an exponent of 1, 2, 3, 4, -1, -2 or half of one as products and roots.

    A library's ``pow`` is a call for each element. An integer's roots and reciprocals, which are
    integers, stay powers. Products and roots differ from ``pow`` in the last
    digit, and at minus infinity to the power of a half, which a root calls NaN.

    Args:
        model: ``onnx.ModelProto`` of opset 13 or newer, changed in place.

    Returns:
        Number of nodes that were rewritten.
    """
    graph = model.graph
    if not any(is_operator(node, "Pow") for node in graph.node):
        return 0
    shapes, elements = static_types(model)
    constants, fresh, floats = Constants(graph), Fresh(graph), _floats()
    nodes: list[Any] = []
    written = 0
    for node in graph.node:
        chain = None
        if is_operator(node, "Pow"):
            exponent = constants.small(node.input[1])
            rank = len(shapes.get(node.input[0], ()))
            if exponent is not None and exponent.size == 1 and exponent.ndim <= rank:
                chain = _CHAINS.get(float(exponent.reshape(-1)[0]))
            if chain and not _WHOLE.issuperset(chain) and elements.get(node.input[0]) not in floats:
                chain = None
        nodes.extend([node] if chain is None else _operations(node, chain, fresh))
        written += chain is not None
    if written:
        replace_nodes(graph, nodes)
    return written


def _floats() -> set[int]:
    """ONNX's numbers of the floating-point types that a power may have."""
    import onnx

    kinds = onnx.TensorProto
    return {kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE}


def _operations(node: Any, chain: tuple[str, ...], fresh: Fresh) -> list[Any]:
    import onnx

    base = current = node.input[0]
    made = []
    for place, operation in enumerate(chain):
        last = place == len(chain) - 1
        output = node.output[0] if last else fresh(f"{node.output[0]}/{place}")
        inputs = {"Mul": [current, base], "Square": [current, current]}.get(operation, [current])
        operator = "Mul" if operation == "Square" else operation
        made.append(onnx.helper.make_node(operator, inputs, [output]))
        current = output
    return made


def quotients_to_products(model: Any) -> int:
    """Write a quotient by floating-point constants as a product with their reciprocals.

    A division takes a processor's vector unit ten times as long as a product. Reciprocals are
    rounded, so that a result can differ by one unit in its last place. Where that is a whole step,
    or where a reciprocal is not finite or has lost digits, the quotient stays.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that were rewritten.
    """
    graph = model.graph
    constants, fresh = Constants(graph), Fresh(graph)
    stepped = {name for n in all_nodes(graph) if is_operator(n, *_STEPS) for name in n.input}
    nodes: list[Any] = []
    written = 0
    for node in graph.node:
        nodes.append(node)
        if not is_operator(node, "Div") or node.input[0] in constants:
            continue
        if node.output[0] in stepped:
            continue
        reciprocal = _reciprocal(constants.value(node.input[1]))
        if reciprocal is None:
            continue
        node.op_type = "Mul"
        node.input[1] = fresh(f"{node.output[0]}/reciprocal")
        if reciprocal.size == 1:
            nodes.insert(-1, constant(node.input[1], reciprocal))
        else:
            graph.initializer.append(tensor(node.input[1], reciprocal))
        written += 1
    if written:
        replace_nodes(graph, nodes)
    return written


def _reciprocal(value: np.ndarray | None) -> np.ndarray | None:
    if value is None or value.dtype.kind != "f" or not np.all(value != 0):
        return None
    with np.errstate(over="ignore"):  # seen below
        reciprocal = (1 / value.astype(np.float64)).astype(value.dtype)
    smallest = np.finfo(value.dtype).tiny
    usable = np.isfinite(reciprocal) & (np.abs(reciprocal) >= smallest)
    return reciprocal if bool(np.all(usable)) else None
