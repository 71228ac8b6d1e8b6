"""Files of old opsets are brought to one that importers are made for."""

from __future__ import annotations

import math
from typing import Any

from rivulet.errors import UserError
from rivulet.graph.onnx.editing import Constants, all_nodes, attributes, set_attribute
from rivulet.graph.onnx.weightless import take_nodes, without_weights

# The first with LayerNormalization. What the converter rewrites for later ones, axes as inputs,
# would only make graphs longer.
OLDEST = 17
# From here on what is old is also what importers expect.
_GOOD_ENOUGH = 13
_SCALED = ("Upsample", "Resize")


def convert_opset(model: Any) -> int:
    """Convert a file of an opset below 17.

    ``onnx.version_converter`` is right on all that was tried (Slice 1, TopK 1 and 10, Clip 6,
    Pad 2, Dropout, Split, Squeeze, Softmax, BatchNormalization, within branches too) but for one:
    Resize 10 and the Upsample that it makes one of lose their coordinates, which were
    ``asymmetric`` and are ``half_pixel`` by default since.

    Args:
        model: ``onnx.ModelProto`` without functions of its own, changed in place.

    Returns:
        Number of nodes before, or 0 where the opset is new enough.

    Raises:
        UserError: The converter cannot do it, and the opset is below 13.
    """
    import onnx

    before = next((entry.version for entry in model.opset_import if not entry.domain), OLDEST)
    if before >= OLDEST:
        return 0
    scaled = {n.output[0] for n in all_nodes(model.graph) if n.op_type in _SCALED and before < 11}
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.CopyFrom(without_weights(model.graph))
    count = len(bare.graph.node)
    try:
        converted = onnx.version_converter.convert_version(bare, OLDEST)
    except Exception as error:
        if before >= _GOOD_ENOUGH:
            return 0
        # Before that stand a line of the converter's source and its condition.
        reason = " ".join(str(error).split()).rsplit("failed: ", 1)[-1] or type(error).__name__
        raise UserError(
            f"opset {before} cannot be converted to {OLDEST} ({reason}); "
            f"export the model again with opset {_GOOD_ENOUGH} or newer"
        ) from error
    constants = Constants(converted.graph)
    for node in all_nodes(converted.graph):
        if node.op_type == "Resize" and node.output[0] in scaled:
            _keep_old_coordinates(node, constants)
    take_nodes(model, converted)
    return count


def _keep_old_coordinates(node: Any, constants: Constants) -> None:
    """Say what a Resize of opset 10 does: ONNX Runtime rounds up where it makes smaller."""
    set_attribute(node, "coordinate_transformation_mode", "asymmetric")
    if attributes(node).get("mode", b"nearest") == b"nearest":
        scales = constants.small(node.input[2]) if len(node.input) > 2 else None
        smaller = scales is not None and math.prod(scales.reshape(-1).tolist()) < 1
        set_attribute(node, "nearest_mode", "ceil" if smaller else "floor")
