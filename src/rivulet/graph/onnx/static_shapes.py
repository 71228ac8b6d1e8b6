"""Make the shapes within an ONNX graph static, so that a compiler for fixed shapes can import it.

Exporters write what a program does with sizes as part of the graph: a view of (batch, groups,
channels / groups, ...) becomes ``Shape``, ``Gather``, ``Div``, ``Concat`` and ``Reshape``. With an
input of fixed shape all of that is known beforehand. Here it is worked out once and put into the
graph as constants; nothing that depends on the input's values is touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rivulet.errors import UserError, first_line
from rivulet.graph.onnx.editing import (
    DEFAULT_DOMAIN,
    attributes,
    constant,
    copy_of,
    drop_unread,
    is_operator,
    named,
    tensor,
)
from rivulet.graph.onnx.weightless import without_weights
from rivulet.models.onnx_files import names_read

# Masks, and tables of positions, are smaller; what larger weights go through is work for the
# compiler, which packs them anyway.
_MOST_ELEMENTS = 1 << 21
_NEVER = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",  # not the same in each run
    "If", "Loop", "Scan",  # have graphs of their own
    "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceConstruct",
    "SequenceEmpty", "SplitToSequence",  # give or take no tensor
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
        drop_unread(model.graph)  # in each round: it is what makes the next ones short
    return replaced


def static_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all values of a graph that are known, by name; a scalar's is empty.

    Args:
        model: ``onnx.ModelProto``; it is not changed.
    """
    return static_types(model)[0]


def static_types(model: Any) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """What `static_shapes` gives, and ONNX's number of the type of each value's elements.

    Args:
        model: ``onnx.ModelProto``; it is not changed.
    """
    import onnx

    bare = onnx.ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        functions=model.functions,
        graph=without_weights(model.graph),
    )
    graph = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    elements = {weight.name: weight.data_type for weight in model.graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        elements[value.name] = kind.elem_type
        if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in kind.shape.dim)
    return shapes, elements


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
    kept = [node for place, node in enumerate(graph.node) if place not in known.folded]
    made = {name for place in known.folded for name in graph.node[place].output}
    needed = {name for node in kept for name in names_read(node)}
    needed.update(value.name for value in graph.output)
    constants = []
    for name, value in _evaluate(model, known, sorted(needed & made - {""})).items():
        if value.dtype.kind == "f" and value.size > 1:
            graph.initializer.append(tensor(name, value))  # a weight like any other
        else:
            constants.append(constant(name, value))
    for place in sorted(known.folded, reverse=True):
        del graph.node[place]
    for node in reversed(constants):
        graph.node.insert(0, node)
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
        if is_operator(node, "Shape", "Size") and node.input[0] in shapes:
            known.values[node.output[0]] = _size_of(node, shapes[node.input[0]])
        elif _foldable(node, known.names, shapes):
            known.computed.append(copy_of(node))
        else:
            continue
        known.folded.add(place)
        known.names.update(node.output)
    return known


def _foldable(node: Any, known: set[str], shapes: dict[str, tuple[int, ...]]) -> bool:
    if node.op_type in _NEVER or node.domain not in DEFAULT_DOMAIN:
        return False
    if not all(name in known for name in node.input if name):
        return False
    return all(math.prod(shapes.get(name, ())) <= _MOST_ELEMENTS for name in node.output)


def _size_of(node: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a ``Shape`` or ``Size`` node gives for an input of this shape."""
    if node.op_type == "Size":
        return np.array(math.prod(shape), dtype=np.int64)
    limits = attributes(node)
    return np.array(shape[limits.get("start", 0) : limits.get("end", len(shape))], dtype=np.int64)


def _evaluate(model: Any, known: _Known, wanted: list[str]) -> dict[str, np.ndarray]:
    """Values of some of the known names."""
    values = {name: known.values[name] for name in wanted if name in known.values}
    outputs = [name for name in wanted if name not in values]
    if not outputs:
        return values
    import onnx

    read = {name for node in known.computed for name in node.input if name}
    graph = onnx.GraphProto(name="known")
    graph.node.extend(
        n for n in model.graph.node if n.op_type == "Constant" and n.output[0] in read
    )
    graph.node.extend(known.computed)
    graph.initializer.extend(t for t in model.graph.initializer if t.name in read)
    graph.initializer.extend(tensor(n, value) for n, value in known.values.items() if n in read)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    part = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, graph=graph
    )
    return {**values, **dict(zip(outputs, _run(part, outputs), strict=True))}


def _run(part: Any, outputs: list[str]) -> list[np.ndarray]:
    """Values of a graph without inputs."""
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # outputs have no declared type, and failures are caught
    try:
        session = onnxruntime.InferenceSession(
            part.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(outputs, {}))
    except Exception:  # ONNX Runtime has many; it lacks operators for some types
        pass
    try:
        return [np.asarray(value) for value in ReferenceEvaluator(part).run(outputs, {})]
    except Exception as error:
        raise UserError(
            f"{named(part.graph.node[-1])}: the part of the graph up to here depends on no input "
            f"and cannot be computed: {first_line(error)}"
        ) from error
