"""Export a torchvision model to ONNX."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError, first_line
from rivulet.models.description import check_onnx
from rivulet.models.onnx_files import save_onnx, values_beside, weights_beside
from rivulet.models.torchvision_import import import_torchvision
from rivulet.models.trial_run import open_onnx, run_onnx, sensitivity

OPSET = 18
_TOLERANCE = 1e-3


def export_torchvision(
    name: str,
    shape: list[int],
    weights: str,
    seed: int,
    *,
    path: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write a torchvision classification model as ONNX and check it against torch.

    Batch normalisation is folded into the convolutions by the exporter, because the model is in
    evaluation mode.

    Args:
        name: torchvision's name of the model.
        shape: Input shape, NCHW.
        weights: ``random`` (seeded; latency does not depend on them) or ``DEFAULT`` (trained,
            downloaded by torchvision).
        seed: Seed of random weights and of the input that the check uses.
        path: File to write.
        say: Told what goes on, one line each.

    Returns:
        Facts for the model's record.

    Raises:
        UserError: The weights cannot be fetched, or the export does not compute what torch does.
    """
    torch, _ = import_torchvision()
    say(f"building {name} with {weights} weights")
    model, (example, other) = _build_with_inputs(name, shape, weights, seed)
    with torch.inference_mode():
        expected, moved = model(example).numpy(), model(other).numpy()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"exporting {name} to ONNX")
    try:
        _write_onnx(torch, model, example, path)
    except torch.onnx.errors.OnnxExporterError as error:
        raise UserError(
            f"{name} cannot be exported for an input of shape {shape}: {first_line(error)}"
        ) from error
    del model  # the largest ones take as much memory again in ONNX Runtime
    values_beside(path).unlink(missing_ok=True)
    facts = check_onnx(path)
    outputs = run_onnx(open_onnx(path), [example.numpy()])
    difference = float(np.max(np.abs(outputs[0] - expected)) / (np.max(np.abs(expected)) or 1.0))
    if not difference <= _TOLERANCE:
        raise UserError(
            f"ONNX Runtime's output of {name} differs from torch's by {difference:.2e} relative "
            f"(allowed: {_TOLERANCE:g}); the export is not usable"
        )
    return {
        **facts,
        "parameters": parameters,
        "input_sensitivity": sensitivity(facts["outputs"], [expected], [moved], say),
        "max_rel_error_against_torch": difference,
        "torch": torch.__version__,
    }


def _write_onnx(torch: Any, model: Any, example: Any, path: Path) -> None:
    """Write a torch module as ONNX; one of more than 2 GB with its weights in a second file."""
    import onnx

    # The exporter puts each weight of a large model into a file of its own.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        written = Path(folder) / path.name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its own deprecation
            torch.onnx.export(
                model,
                (example,),
                str(written),
                dynamo=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["output"],
            )
        if len(list(Path(folder).iterdir())) > 1:
            save_onnx(onnx.load(str(written)), path)
        else:
            weights_beside(path).unlink(missing_ok=True)
            written.replace(path)


def build_torchvision(name: str, shape: list[int], weights: str, seed: int) -> Any:
    """The very model that `export_torchvision` writes, as a torch module in evaluation mode.

    Args:
        name: torchvision's name of the model.
        shape: Input shape, NCHW.
        weights: ``random`` or ``DEFAULT``.
        seed: Seed of random weights.

    Raises:
        UserError: The weights cannot be fetched, or the model does not take such an input.
    """
    return _build_with_inputs(name, shape, weights, seed)[0]


def _build_with_inputs(name: str, shape: list[int], weights: str, seed: int) -> tuple[Any, Any]:
    """A model, and two inputs for it; all of it follows from the seed."""
    torch, torchvision = import_torchvision()
    torch.manual_seed(seed)
    model = _build(torchvision, name, weights).eval()
    inputs = torch.randn(*shape), torch.randn(*shape)
    try:
        if weights == "random":
            keep_signal(torch, model, shape)
        with torch.inference_mode():
            model(inputs[0])
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UserError(
            f"{name} does not accept an input of shape {shape}: {first_line(error)}"
        ) from error
    return model, inputs


def keep_signal(torch: Any, model: Any, shape: list[int]) -> None:
    """Give random weights that carry the input through to the output.

    Many of torchvision's initialisations let activations fade over the layers of an untrained
    model, so that its output is the last bias whatever the input; any schedule, right or wrong,
    then passes a comparison of outputs. Weights are drawn after He et al. (ICCV 2015), and batch
    normalisation gets the statistics of one random batch.
    """
    norms = []
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over batches
            norms.append(module.train())
    with torch.no_grad():
        model(torch.randn(max(4, shape[0]), *shape[1:]))
    for module in norms:
        module.eval()


def _build(torchvision: Any, name: str, weights: str) -> Any:
    extra = {}
    if name in ("googlenet", "inception_v3"):
        # The auxiliary classifiers serve training only; init_weights keeps a warning away.
        extra = {"aux_logits": False, "init_weights": True}
    if weights == "random":
        return torchvision.models.get_model(name, weights=None, **extra)
    try:
        return torchvision.models.get_model(name, weights=weights)
    except Exception as error:
        raise UserError(
            f"the weights '{weights}' of {name} could not be fetched: {first_line(error)}; "
            "use 'weights: random' (latency does not depend on them) or place them in torch's "
            "cache folder by hand"
        ) from error
