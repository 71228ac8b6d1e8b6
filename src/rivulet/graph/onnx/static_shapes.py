"""Make the shapes within an ONNX graph static, so that a compiler for fixed shapes can import it.

Exporters write what a program does with sizes as part of the graph: a view of (batch, groups,
channels / groups, ...) becomes ``Shape``, ``Gather``, ``Div``, ``Concat`` and ``Reshape``. With an
input of fixed shape all of that is known beforehand. Here it is worked out once and put into the
graph as constants; nothing that depends on the input's values is touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Masks, and tables of positions, are smaller; what larger weights go through is work for the
# compiler, which packs them anyway.
_MOST_ELEMENTS = 1 << 21
_MOST_ELEMENTS_OF_A_SHAPE = 1024
_NEVER = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",  # not the same in each run
    "If", "Loop", "Scan",  # have graphs of their own
    "DequantizeLinear", "QuantizeLinear",  # a compiler wants to see quantised weights as such
}  # fmt: skip


def make_shapes_static(model: Any) -> int:
    """Replace what is known before any input is, by constants, in place.

    Args:
        model: ``onnx.ModelProto`` whose inputs have fixed shapes.

    Returns:
        Number of nodes that were replaced.
    """
    replaced = 0
    # Shapes behind a folded node may be known then that were not before.
    while found := _fold_once(model):
        replaced += found
    if replaced:
        _drop_unread(model.graph)
    return replaced


def static_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all values of a graph that are known, by name; a scalar's is empty.

    Args:
        model: ``onnx.ModelProto``; it is not changed.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(_without_weights(model), data_prop=True).graph
    found = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            found[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return found


@dataclass
class _Known:
    """What is known of a graph before any input is.

    Attributes:
        names: All values that are.
        values: Those among them that follow from shapes alone.
        computed: Nodes that compute others from constants.
        folded: Positions in the graph of the nodes that are not needed any more.
    """

    names: set[str]
    values: dict[str, np.ndarray] = field(default_factory=dict)
    computed: list[Any] = field(default_factory=list)
    folded: set[int] = field(default_factory=set)


def _fold_once(model: Any) -> int:
    """Fold what is known with the shapes that are; returns the number of nodes that are gone."""
    graph = model.graph
    known = _find_known(graph, static_shapes(model))
    if not known.folded:
        return 0
    nodes = [_copy(node) for node in graph.node]
    kept = [node for place, node in enumerate(nodes) if place not in known.folded]
    made = {name for place in known.folded for name in nodes[place].output}
    needed = {name for node in kept for name in _reads(node)}
    needed.update(value.name for value in graph.output)
    constants = []
    for name, value in _evaluate(model, known, sorted(needed & made)).items():
        if value.dtype.kind == "f" and value.size > 1:
            graph.initializer.append(_tensor(name, value))  # a weight like any other
        else:
            constants.append(_constant(name, value))
    del graph.node[:]
    graph.node.extend(constants + kept)
    del graph.value_info[:]  # it was written when these sizes were unknown
    return len(known.folded)


def _find_known(graph: Any, shapes: dict[str, tuple[int, ...]]) -> _Known:
    known = _Known({t.name for t in graph.initializer if math.prod(t.dims) <= _MOST_ELEMENTS})
    known.names -= {value.name for value in graph.input}  # a default that may be overridden
    for place, node in enumerate(graph.node):
        if node.op_type == "Constant":
            if math.prod(shapes.get(node.output[0], ())) <= _MOST_ELEMENTS:
                known.names.update(node.output)
            continue
        if node.op_type == "Shape" and node.input[0] in shapes:
            known.values[node.output[0]] = _shape_of(node, shapes[node.input[0]])
        elif _foldable(node, known.names, shapes):
            known.computed.append(_copy(node))
        else:
            continue
        known.folded.add(place)
        known.names.update(node.output)
    return known


def _foldable(node: Any, known: set[str], shapes: dict[str, tuple[int, ...]]) -> bool:
    if node.op_type in _NEVER or node.domain not in ("", "ai.onnx"):
        return False
    if not all(name in known for name in node.input if name):
        return False
    return all(math.prod(shapes.get(name, ())) <= _MOST_ELEMENTS for name in node.output)


def _shape_of(node: Any, shape: tuple[int, ...]) -> np.ndarray:
    limits = {attribute.name: attribute.i for attribute in node.attribute}
    return np.array(shape[limits.get("start", 0) : limits.get("end", len(shape))], dtype=np.int64)


def _evaluate(model: Any, known: _Known, wanted: list[str]) -> dict[str, np.ndarray]:
    """Values of some of the known names."""
    values = {name: known.values[name] for name in wanted if name in known.values}
    outputs = [name for name in wanted if name not in values]
    if not outputs:
        return values
    import onnx
    import onnxruntime

    read = {name for node in known.computed for name in node.input}
    graph = onnx.GraphProto(name="known")
    graph.node.extend(
        n for n in model.graph.node if n.op_type == "Constant" and n.output[0] in read
    )
    graph.node.extend(known.computed)
    graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    graph.initializer.extend(_tensor(n, value) for n, value in known.values.items() if n in read)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    part = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, graph=graph
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # warnings are about outputs without a declared type
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return {**values, **dict(zip(outputs, session.run(outputs, {}), strict=True))}


def _without_weights(model: Any) -> Any:
    """A copy whose large weights have a shape and no data: inference needs no more of them.

    With them it would copy the whole model, and fail beyond the 2 GB of a protobuf message.
    """
    import onnx

    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _MOST_ELEMENTS_OF_A_SHAPE:
            graph.initializer.append(tensor)
        else:
            stub = graph.initializer.add(
                name=tensor.name, dims=tensor.dims, data_type=tensor.data_type
            )
            stub.data_location = onnx.TensorProto.EXTERNAL
            stub.external_data.add(key="location", value="left out")
    return onnx.ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        functions=model.functions,
        graph=graph,
    )


def _drop_unread(graph: Any) -> None:
    """Remove constants and weights that nothing reads any more."""
    read = {name for node in graph.node for name in _reads(node)}
    read.update(value.name for value in graph.output)
    for place in reversed(range(len(graph.node))):
        if graph.node[place].op_type == "Constant" and graph.node[place].output[0] not in read:
            del graph.node[place]
    read.update(value.name for value in graph.input)
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in read:
            del graph.initializer[place]


def _reads(node: Any) -> Iterator[str]:
    """Names that a node reads, those within its own graphs included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            yield from (value.name for value in graph.output)


def _constant(name: str, value: np.ndarray) -> Any:
    import onnx

    tensor = _tensor(f"{name}_value", value)
    return onnx.helper.make_node("Constant", [], [name], name=f"{name}_known", value=tensor)


def _tensor(name: str, value: np.ndarray) -> Any:
    import onnx

    return onnx.numpy_helper.from_array(value, name)


def _copy(node: Any) -> Any:
    import onnx

    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied
