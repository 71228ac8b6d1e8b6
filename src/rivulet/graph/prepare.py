"""From an ONNX file to the module whose kernels are tuned, and its packed parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.graph.importing import import_onnx
from rivulet.graph.onnx.cleanup import clean_up
from rivulet.tvm_compat import load_tvm

_TRANSFORM = "main_transform_params"
# Channels last: the convolution's innermost loop then runs over contiguous output channels,
# which is what vectorisation on CPUs wants, and what lets neighbouring threads of a GPU read
# neighbouring addresses of both the data and the weights.
_CONV_LAYOUT = {"relax.nn.conv2d": ["NHWC", "HWIO"]}


@dataclass(frozen=True)
class PreparedModel:
    """A model ready for kernel extraction and compilation.

    Attributes:
        module: ``IRModule`` with the inference function ``main`` and its kernels; weights are
            arguments, in the layout that inference uses.
        params: The weights in that layout, in the order of ``main``'s arguments after the
            inputs.
    """

    module: Any
    params: list[Any]


def prepare_model(path: Path, target: Any) -> PreparedModel:
    """Import an ONNX file, convert its layout and move every weight transform out of inference.

    The transposes that layout conversion puts on weights are lifted into a function of their
    own and run here, once. Left in place they would be tuned, and timed, as inference work.

    Raises:
        UserError: TVM cannot import the model.
    """
    tvm = load_tvm()
    import onnx
    from tvm import relax

    passes = relax.transform
    try:
        cleaned, _ = clean_up(onnx.load(str(path)))
        module, params = import_onnx(cleaned)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise UserError(f"{path}: TVM cannot import this model: {reason}") from error
    with target, tvm.transform.PassContext(opt_level=3):
        module = tvm.transform.Sequential(
            [
                passes.DecomposeOpsForInference(),
                passes.CanonicalizeBindings(),
                passes.ConvertLayout(_CONV_LAYOUT),
                relax.get_pipeline("zero"),
                passes.LiftTransformParams(),
            ]
        )(module)
        transform = passes.DeadCodeElimination([_TRANSFORM])(_without(module, "main"))
        # The target may be another machine's. This moves data only: it is run here, in any case.
        host = tvm.target.Target({"kind": "llvm"})
        with host:
            machine = relax.VirtualMachine(tvm.compile(transform, host), tvm.cpu())
        packed = list(machine[_TRANSFORM](params))
        inference = passes.DeadCodeElimination(["main"])(_without(module, _TRANSFORM))
        return PreparedModel(passes.AttachAttrLayoutFreeBuffers()(inference), packed)


def _without(module: Any, function: str) -> Any:
    tvm = load_tvm()
    return tvm.IRModule(
        {name: f for name, f in module.functions_items() if name.name_hint != function}
    )
