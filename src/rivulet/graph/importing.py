"""Import a cleaned-up ONNX graph into Relax."""

from __future__ import annotations

from typing import Any

from rivulet.graph.converters import own_converters


def import_onnx(model: Any) -> tuple[Any, list[Any]]:
    """The module of an ONNX graph, and its weights in the order of its arguments.

    Args:
        model: ``onnx.ModelProto`` that `rivulet.graph.onnx.cleanup` has been over.

    Returns:
        ``IRModule`` whose ``main`` takes the inputs, then the weights; and the weights.
    """
    from tvm.relax.frontend import detach_params
    from tvm.relax.frontend.onnx import from_onnx

    with own_converters():
        module = from_onnx(model, keep_params_in_input=True)
    module, params = detach_params(module)
    return module, list(params.get("main", ()))
