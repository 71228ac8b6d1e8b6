"""What the steps share: names that a graph reads, its constants by name, and new nodes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rivulet.models.onnx_files import MOST_ELEMENTS_OF_A_SHAPE, names_read

DEFAULT_DOMAIN = ("", "ai.onnx")


def graphs_within(node: Any) -> Iterator[Any]:
    """Graphs that a node has as attributes: branches and the body of a loop."""
    import onnx

    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def all_nodes(graph: Any) -> Iterator[Any]:
    """Nodes of a graph and of the graphs within them."""
    for node in graph.node:
        yield node
        for inner in graphs_within(node):
            yield from all_nodes(inner)


def readers(graph: Any) -> Counter[str]:
    """How often each value is read; being an output of the graph counts as one."""
    count = Counter(name for node in graph.node for name in names_read(node))
    count.update(value.name for value in graph.output)
    return count


def attributes(node: Any) -> dict[str, Any]:
    """Attributes of a node by name."""
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators that a model is written in, or 0."""
    versions = [e.version for e in model.opset_import if e.domain in DEFAULT_DOMAIN]
    return max(versions, default=0)


def set_attribute(node: Any, name: str, value: Any) -> None:
    """Give a node an attribute, in place of one of that name if it has it; None removes it."""
    import onnx

    for place in reversed(range(len(node.attribute))):
        if node.attribute[place].name == name:
            del node.attribute[place]
    if value is not None:
        node.attribute.append(onnx.helper.make_attribute(name, value))


def is_operator(node: Any, *operators: str) -> bool:
    """Whether a node is one of these operators of ONNX's own domain."""
    return node.op_type in operators and node.domain in DEFAULT_DOMAIN


def named(node: Any) -> str:
    """A node as an error names it: its operator, and its name or what it makes."""
    return f"{node.op_type} '{node.name or next((o for o in node.output if o), '')}'"


class Constants:
    """Values of a graph that are known: its weights, and its ``Constant`` nodes.

    Args:
        graph: ``onnx.GraphProto``; weights that are inputs as well, which a caller may override,
            are left out.
    """

    def __init__(self, graph: Any) -> None:
        inputs = {value.name for value in graph.input}
        self._weights = {t.name: t for t in graph.initializer if t.name not in inputs}
        self._nodes = {n.output[0]: n for n in graph.node if is_operator(n, "Constant")}

    def __contains__(self, name: str) -> bool:
        """Whether a name is one whose value is known."""
        return name in self._weights or name in self._nodes

    def add(self, weight: Any) -> None:
        """Count another ``onnx.TensorProto`` among the graph's weights."""
        self._weights[weight.name] = weight

    def value(self, name: str) -> np.ndarray | None:
        """Value of a name, or None where it is not known or is no tensor of numbers."""
        import onnx

        if name in self._weights:
            return np.asarray(onnx.numpy_helper.to_array(self._weights[name]))
        return constant_value(self._nodes[name]) if name in self._nodes else None

    def small(self, name: str) -> np.ndarray | None:
        """Value of a name that has few elements, or None: a large weight is not even looked at."""
        tensor = self._weights.get(name)
        if tensor is not None and math.prod(tensor.dims) > MOST_ELEMENTS_OF_A_SHAPE:
            return None
        return self.value(name)

    def ints(self, name: str) -> list[int] | None:
        """Integers that a small constant consists of (a scalar is a list of one), or None."""
        value = self.small(name)
        if value is None or value.dtype.kind not in "iu":
            return None
        return [int(element) for element in value.reshape(-1)]

    def scalar(self, name: str) -> float | None:
        """The one number that a constant of a floating-point type consists of, or None."""
        value = self.small(name)
        if value is None or value.size != 1 or value.dtype.kind != "f":
            return None
        return float(value.reshape(-1)[0])


def constant_value(node: Any) -> np.ndarray | None:
    """Value of a ``Constant`` node, however it is written; None where it is text."""
    import onnx

    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return np.asarray(onnx.numpy_helper.to_array(value))
    if attribute.name == "sparse_value":
        return dense(value)
    if attribute.name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    return None


def dense(sparse: Any) -> np.ndarray:
    """The array that an ``onnx.SparseTensorProto`` stands for."""
    import onnx

    values = onnx.numpy_helper.to_array(sparse.values)
    indices = onnx.numpy_helper.to_array(sparse.indices)
    full = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        full.reshape(-1)[indices] = values
    else:
        full[tuple(indices.T)] = values
    return full


def tensor(name: str, value: np.ndarray) -> Any:
    """``onnx.TensorProto`` of an array."""
    import onnx

    return onnx.numpy_helper.from_array(np.asarray(value), name)


def constant(name: str, value: np.ndarray) -> Any:
    """``Constant`` node that makes a value."""
    import onnx

    stored = tensor(f"{name}_value", value)
    return onnx.helper.make_node("Constant", [], [name], name=f"{name}_known", value=stored)


def multiplied(weights: np.ndarray, factor: np.ndarray | float) -> np.ndarray:
    """Weights times factors, in double precision, rounded once to the weights' own.

    There is no copy in double precision: weights can have gigabytes.

    Args:
        weights: Floating-point array of any shape.
        factor: In double precision, broadcast to that shape.
    """
    product = np.empty(weights.shape, weights.dtype)
    with np.errstate(over="ignore"):  # callers look at what comes out
        np.multiply(weights, factor, out=product, dtype=np.float64, casting="same_kind")
    return product


def copy_of(message: Any) -> Any:
    """A copy of a protobuf message that outlives the one it is in."""
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def replace_nodes(graph: Any, nodes: Sequence[Any]) -> None:
    """Put other nodes, some of which may be the graph's own, in place of a graph's nodes."""
    kept = [copy_of(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def rename_reads(graph: Any, names: dict[str, str]) -> None:
    """Have every reader of a name read another one; graphs within the nodes included."""
    for node in all_nodes(graph):
        for place, name in enumerate(node.input):
            if name in names:
                node.input[place] = names[name]
        for inner in graphs_within(node):
            for value in inner.output:
                value.name = names.get(value.name, value.name)


def drop_unread(graph: Any) -> None:
    """Remove nodes whose results nothing reads, and weights likewise."""
    count = readers(graph)
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if not any(count[name] for name in node.output if name):
            count.subtract(names_read(node))
            del graph.node[place]
    kept = {value.name for value in graph.input}
    for place in reversed(range(len(graph.initializer))):
        name = graph.initializer[place].name
        if not count[name] and name not in kept:
            del graph.initializer[place]


class Fresh:
    """Names that a graph does not have yet."""

    def __init__(self, graph: Any) -> None:
        self._taken = {value.name for value in (*graph.input, *graph.output)}
        self._taken.update(tensor.name for tensor in graph.initializer)
        for node in all_nodes(graph):
            self._taken.update((*node.input, *node.output))
            for inner in graphs_within(node):
                self._taken.update(t.name for t in inner.initializer)
                self._taken.update(value.name for value in inner.input)

    def __call__(self, wanted: str) -> str:
        """The wanted name, or one with a number behind it; it counts as taken from here on."""
        name, number = wanted, 1
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name
