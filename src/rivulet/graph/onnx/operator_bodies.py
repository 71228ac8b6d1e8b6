"""Operators that ONNX defines by others are written as those, where nothing else compiles them."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import DEFAULT_DOMAIN, opset_of
from rivulet.graph.onnx.functions import inline_functions
from rivulet.graph.onnx.weightless import without_weights

# Of the operators that have a body in the standard: those without a converter. The others are
# faster, or closer to the standard's accuracy, by a converter of their own.
_WRITTEN_OUT = {
    "Attention",
    "BlackmanWindow",
    "CausalConvWithState",
    "HammingWindow",
    "HannWindow",
    "NegativeLogLikelihoodLoss",
    "RotaryEmbedding",
    "SoftmaxCrossEntropyLoss",
    "SwiGLU",
}
_DOMAIN = "written.out"


def write_out_operators(model: Any) -> int:
    """Replace operators that nothing compiles by their bodies in the ONNX standard.

    A body depends on the node's attributes and on which of its inputs there are: each node becomes
    a call of a function of its own, which `inline_functions` then resolves.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of nodes that were replaced.
    """
    written = 0
    # A loss over the softmax is written as one over probabilities, which has a body as well.
    while replaced := _write_out_once(model):
        written += replaced
    return written


def _write_out_once(model: Any) -> int:
    import onnx

    found = [
        node
        for node in model.graph.node
        if node.op_type in _WRITTEN_OUT and node.domain in DEFAULT_DOMAIN
    ]
    types = _types(model) if found else {}
    for place, node in enumerate(found):
        body = _body(node, opset_of(model), types)
        if body is not None:
            body.domain, body.name = _DOMAIN, f"{node.op_type}_{place}"
            model.functions.append(body)
            node.domain, node.op_type = _DOMAIN, body.name
    if not model.functions:
        return 0
    model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    written = inline_functions(model)
    kept = [entry for entry in model.opset_import if entry.domain != _DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return written


def _body(node: Any, opset: int, types: dict[str, Any]) -> Any:
    """What a node does, as a function; None where the standard has no body for its inputs."""
    import onnx

    schema = onnx.defs.get_schema(node.op_type, opset, "")
    _spell_defaults(node, schema)
    given = [types.get(name, onnx.TypeProto()).SerializeToString() for name in node.input]
    data = b""
    if schema.has_context_dependent_function:
        data = schema.get_context_dependent_function(node.SerializeToString(), given)
    elif schema.has_function:
        return _copy(schema.function_body)
    return onnx.FunctionProto.FromString(data) if data else None


def _copy(function: Any) -> Any:
    import onnx

    return onnx.FunctionProto.FromString(function.SerializeToString())


def _spell_defaults(node: Any, schema: Any) -> None:
    """Give a node the attributes that it leaves to the standard: a body refers to them."""
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.type:
            node.attribute.append(attribute.default_value)


def _types(model: Any) -> dict[str, Any]:
    """Types of the graph's values by name."""
    import onnx

    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.CopyFrom(without_weights(model.graph))
    graph = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    found = {value.name: value.type for value in (*graph.input, *graph.value_info, *graph.output)}
    for weight in graph.initializer:
        kind = onnx.helper.make_tensor_type_proto(weight.data_type, weight.dims)
        found.setdefault(weight.name, kind)
    return found
