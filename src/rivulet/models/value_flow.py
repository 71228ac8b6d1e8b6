"""Where the values of a graph's input go: through what moves and casts them, to what uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.models.onnx_files import without_weights

# Operators that hand on the values of these inputs, all of them where it is None.
_HANDS_ON: dict[str, tuple[int, ...] | None] = {
    "Clip": (0,), "Compress": (0,), "Concat": None, "Dropout": (0,), "Expand": (0,),
    "Flatten": (0,), "Gather": (0,), "GatherElements": (0,), "GatherND": (0,), "Identity": (0,),
    "Max": None, "Min": None, "Pad": (0,), "ReduceMax": (0,), "ReduceMin": (0,), "Reshape": (0,),
    "ReverseSequence": (0,), "ScatterElements": (0, 2), "ScatterND": (0, 2), "Slice": (0,),
    "Split": (0,), "Squeeze": (0,), "Tile": (0,), "Transpose": (0,), "Trilu": (0,),
    "Unsqueeze": (0,), "Where": (1, 2),
}  # fmt: skip


@dataclass(frozen=True)
class ValueFlow:
    """A model's nodes, those of nested graphs and of its own functions included.

    Attributes:
        readers: Name of a value to the nodes that read it, each with the place among its inputs.
        shapes: Name to shape, as far as known; 0 for an unknown size.
        constants: Name to value, of small constants.
    """

    readers: Mapping[str, list[tuple[Any, int]]]
    shapes: Mapping[str, list[int]]
    constants: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, model: Any) -> ValueFlow:
        """The flow of an ``onnx.ModelProto`` with fixed input shapes."""
        import onnx
        import onnx.inliner

        light = without_weights(model)
        if light.functions:
            light = onnx.inliner.inline_local_functions(light)
        graph = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
        readers = defaultdict(list)
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in _nodes(graph):
            for place, name in enumerate(node.input):
                readers[name].append((node, place))
            if node.op_type == "Constant" and node.attribute[0].HasField("t"):
                tensors[node.output[0]] = node.attribute[0].t
        shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*graph.value_info, *graph.input)
        }
        shapes |= {name: list(tensor.dims) for name, tensor in tensors.items()}
        constants = {
            name: onnx.numpy_helper.to_array(tensor)
            for name, tensor in tensors.items()
            if tensor.data_location != onnx.TensorProto.EXTERNAL
        }
        return cls(readers, shapes, constants)

    def uses(self, name: str) -> Iterator[tuple[Any, int]]:
        """Each node that reads the values of a name, wherever they are handed on to.

        Args:
            name: Name of a value.

        Yields:
            The node, and the place among its inputs.
        """
        seen, todo = {name}, [name]
        while todo:
            for node, place in self.readers.get(todo.pop(), ()):
                yield node, place
                if _hands_on(node, place):
                    fresh = {one for one in node.output if one} - seen
                    seen |= fresh
                    todo += sorted(fresh)


def attribute_of(node: Any, name: str, default: int) -> int:
    """An integer attribute of a node."""
    return next((one.i for one in node.attribute if one.name == name), default)


def casts_to_integers(node: Any) -> bool:
    """Whether a Cast gives integers."""
    import onnx

    to = attribute_of(node, "to", onnx.TensorProto.FLOAT)
    return onnx.helper.tensor_dtype_to_np_dtype(to).kind in "iu"


def _hands_on(node: Any, place: int) -> bool:
    if node.op_type == "Cast":
        return casts_to_integers(node)
    places = _HANDS_ON.get(node.op_type, ())
    return places is None or place in places


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
