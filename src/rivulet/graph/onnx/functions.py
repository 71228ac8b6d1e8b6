"""Functions that a file defines for itself are put where they are called."""

from __future__ import annotations

from typing import Any

from rivulet.graph.onnx.editing import all_nodes
from rivulet.graph.onnx.weightless import take_nodes, without_weights


def inline_functions(model: Any) -> int:
    """Replace each call of a function of the file by what the function does.

    ``onnx.inliner`` does it, also for functions within functions and of another opset than the
    graph's. It serialises the model, so that large weights are kept away from it.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of calls that were replaced.
    """
    if not model.functions:
        return 0
    import onnx
    from onnx import inliner

    known = {(function.domain, function.name) for function in model.functions}
    calls = sum((node.domain, node.op_type) in known for node in all_nodes(model.graph))
    bare = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    bare.graph.CopyFrom(without_weights(model.graph))
    inlined = inliner.inline_local_functions(bare, convert_version=True)
    take_nodes(model, inlined)
    del model.functions[:]
    return calls
