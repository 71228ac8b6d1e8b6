"""The steps that make an ONNX graph one that the importer takes, in their order.

docs/models.md tells what onnxslim and onnxsim were found to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rivulet.graph.onnx.absorb import absorb_scales
from rivulet.graph.onnx.batch_norm import lone_batch_norms
from rivulet.graph.onnx.branches import inline_known_branches
from rivulet.graph.onnx.constants import constants_to_weights, small_weights_to_constants
from rivulet.graph.onnx.functions import inline_functions
from rivulet.graph.onnx.gathers import gathers_to_slices
from rivulet.graph.onnx.gemm import plain_gemms
from rivulet.graph.onnx.header import spell_domain, weights_are_no_inputs
from rivulet.graph.onnx.identities import drop_identities
from rivulet.graph.onnx.layer_norm import join_layer_norms
from rivulet.graph.onnx.names import rename_weights
from rivulet.graph.onnx.open_branches import choose_between_branches
from rivulet.graph.onnx.operator_bodies import write_out_operators
from rivulet.graph.onnx.opsets import convert_opset
from rivulet.graph.onnx.optional import drop_empty_options
from rivulet.graph.onnx.powers import powers_to_products, quotients_to_products
from rivulet.graph.onnx.reshapes import literal_reshapes
from rivulet.graph.onnx.scalars import move_scalars
from rivulet.graph.onnx.static_shapes import make_shapes_static
from rivulet.graph.onnx.training import refuse_training
from rivulet.graph.onnx.transposes import scales_before_transposes
from rivulet.graph.onnx.unread import drop_unread_nodes

# Each changes the model in place and returns how many nodes it changed.
STEPS: tuple[tuple[str, Callable[[Any], int]], ...] = (
    # What the file says in an old or roundabout way.
    ("domain", spell_domain),
    ("weights as inputs", weights_are_no_inputs),
    ("functions", inline_functions),
    ("training mode", refuse_training),
    ("constants to weights", constants_to_weights),
    ("identities", drop_identities),  # no Dropout reaches the converter of opsets
    ("opset", convert_opset),
    ("operators without a converter", write_out_operators),
    # What is known before any input is.
    ("static shapes", make_shapes_static),
    ("known branches", inline_known_branches),
    ("open branches", choose_between_branches),
    ("empty options", drop_empty_options),
    ("identities left by the above", drop_identities),
    # What depends on weights alone.
    ("Gemm", plain_gemms),
    ("scales before transposes", scales_before_transposes),
    ("scales into weights", absorb_scales),
    ("BatchNormalization", lone_batch_norms),
    ("scalars of products", move_scalars),
    # What has a cheaper form.
    ("Gather to Slice", gathers_to_slices),
    ("powers", powers_to_products),
    ("quotients", quotients_to_products),
    ("identities left by powers", drop_identities),
    ("layer normalisation", join_layer_norms),
    # What importers want.
    ("Reshape", literal_reshapes),
    ("small weights to constants", small_weights_to_constants),
    ("unread", drop_unread_nodes),
    ("names", rename_weights),
)


def clean_up(model: Any) -> tuple[Any, dict[str, int]]:
    """Apply all steps.

    Args:
        model: ``onnx.ModelProto`` with fixed input shapes; it may be changed.

    Returns:
        The model, and the number of nodes that each step changed, by its name.

    Raises:
        UserError: The graph cannot be cleaned up; the message names the node.
    """
    return model, {name: step(model) for name, step in STEPS}
