"""Import a cleaned-up ONNX graph into Relax."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

from rivulet.errors import UserError
from rivulet.graph.converters import ConversionError, own_converters
from rivulet.graph.errors import REMEDY

# TVM's importer converts it without a converter. It does so with If too, but then leaves the whole
# graph unfused, and `rivulet.graph.onnx.open_branches` resolves what can be.
_BUILT_IN = {"Constant"}


def import_onnx(model: Any) -> tuple[Any, list[Any]]:
    """The module of an ONNX graph, and its weights in the order of its arguments.

    Args:
        model: ``onnx.ModelProto`` that `rivulet.graph.onnx.cleanup` has been over. Nodes without
            a name get one.

    Returns:
        ``IRModule`` whose ``main`` takes the inputs, then the weights; and the weights.

    Raises:
        UserError: A node cannot be converted; the message names it and its operator.
    """
    from tvm.relax.frontend import detach_params
    from tvm.relax.frontend.onnx import from_onnx

    for node in model.graph.node:
        node.name = node.name or next((name for name in node.output if name), node.op_type)
    try:
        # The importer prints the operator of a failed node and all its inputs.
        with own_converters() as operators, redirect_stdout(io.StringIO()):
            _refuse_unknown(model.graph, operators | _BUILT_IN)
            module = from_onnx(model, keep_params_in_input=True)
    except ConversionError as error:
        raise UserError(f"{error}; {REMEDY}") from error
    module, params = detach_params(module)
    return module, list(params.get("main", ()))


def _refuse_unknown(graph: Any, operators: frozenset[str]) -> None:
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") and node.op_type not in operators:
            name = f"{node.domain}.{node.op_type}"
            raise ConversionError(node.name, name, "not an operator of ONNX's own set")
        if node.op_type == "If":
            reason = "its condition depends on the input, and its branches' shapes differ"
            raise ConversionError(node.name, node.op_type, reason)
        if node.op_type not in operators:
            raise ConversionError(node.name, node.op_type, "TVM has no converter for it")
