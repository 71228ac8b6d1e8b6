"""The outermost things of a file: spelling of the domain, weights that are listed as inputs."""

from __future__ import annotations

from typing import Any

from rivulet.errors import UserError
from rivulet.graph.onnx.editing import all_nodes

_IR_VERSION = 8  # the first with all that the steps write; weights need not be inputs since 4


def spell_domain(model: Any) -> int:
    """Write ONNX's own domain as ``""`` everywhere; ``ai.onnx`` means the same.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of entries that were spelt otherwise.

    Raises:
        UserError: The file declares no opset of ONNX's own operators, but has some.
    """
    nodes = [*all_nodes(model.graph), *(n for f in model.functions for n in f.node)]
    entries = [*model.opset_import, *(o for f in model.functions for o in f.opset_import)]
    changed = [item for item in (*entries, *nodes) if item.domain == "ai.onnx"]
    for item in changed:
        item.domain = ""
    own = [entry.version for entry in model.opset_import if entry.domain == ""]
    if not own:
        first = next((node for node in model.graph.node if not node.domain), None)
        if first is not None:
            raise UserError(
                f"{first.op_type}: the file declares no opset for ONNX's own operators; "
                "export it again, or add an opset_import with domain ''"
            )
    if len(own) > 1:
        kept = [entry for entry in model.opset_import if entry.domain != ""]
        del model.opset_import[:]
        model.opset_import.add(domain="", version=max(own))
        model.opset_import.extend(kept)
    return len(changed)


def weights_are_no_inputs(model: Any) -> int:
    """Take weights off the list of inputs, where files of IR version 3 have to name them.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of inputs that were weights.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    weights.update(tensor.values.name for tensor in graph.sparse_initializer)
    dropped = 0
    for place in reversed(range(len(graph.input))):
        if graph.input[place].name in weights:
            del graph.input[place]
            dropped += 1
    model.ir_version = max(model.ir_version, _IR_VERSION)
    return dropped
