"""From an ONNX file to the module whose kernels are tuned, and its packed parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError
from rivulet.graph.importing import import_onnx
from rivulet.graph.layout import channels_last
from rivulet.graph.legalisation import legalise
from rivulet.graph.onnx.cleanup import clean_up
from rivulet.graph.weights import compute_from_weights
from rivulet.tvm_compat import load_tvm


@dataclass(frozen=True)
class PreparedModel:
    """A model ready for kernel extraction and compilation.

    Attributes:
        module: ``IRModule`` with the inference function ``main`` and its kernels; weights are
            arguments, in the layout that inference uses.
        params: The weights in that layout, in the order of ``main``'s arguments after the
            inputs.
        steps: What preparation did: how many nodes each step changed, by its name.
    """

    module: Any
    params: list[Any]
    steps: dict[str, int] = field(default_factory=dict)


def prepare_model(path: Path, target: Any) -> PreparedModel:
    """Make kernels of an ONNX model.

    In this order:

    1. ONNX to ONNX (`rivulet.graph.onnx.cleanup`): old forms into today's, what is known
       beforehand into constants, batch normalisation into the layers before it.
    2. Import into Relax (`rivulet.graph.importing`).
    3. Channels last (`rivulet.graph.layout`): where data lies, and weights as that needs them.
    4. What still depends on weights alone is computed (`rivulet.graph.weights`).
    5. Operators into loops (`rivulet.graph.legalisation`), and these fused into kernels by TVM.

    Raises:
        UserError: The model cannot be imported; the message names the node. What TVM raises
            besides is of no common kind (`rivulet.graph.errors.told` tells it).
    """
    tvm = load_tvm()
    import onnx
    from tvm import relax

    try:
        cleaned, steps = clean_up(onnx.load(str(path)))
        module, params = import_onnx(cleaned)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    passes = relax.transform
    with target, tvm.transform.PassContext(opt_level=3):
        module = tvm.transform.Sequential(
            [passes.DecomposeOpsForInference(), passes.CanonicalizeBindings()]
        )(module)
        module, weights = channels_last(module, [param.numpy() for param in params])
        module = passes.DeadCodeElimination()(module)
        module, weights = compute_from_weights(module, weights)
        module = tvm.transform.Sequential([legalise(target), relax.get_pipeline("zero")])(module)
    packed = [tvm.runtime.tensor(np.asarray(weight, order="C")) for weight in weights]
    return PreparedModel(passes.AttachAttrLayoutFreeBuffers()(module), packed, steps)
