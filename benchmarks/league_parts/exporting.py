"""Export the contestants that the workflow cannot build by itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from league_parts.contestants import SEED, Contestant
from league_parts.modules import build_module, example_inputs
from rivulet.errors import UserError, first_line
from rivulet.models.export import OPSET

_TOLERANCE = 1e-3


def export_contestant(one: Contestant, path: Path) -> None:
    """Write a contestant as ONNX, checked against PyTorch on inputs other than the traced ones.

    Raises:
        UserError: It cannot be exported, or ONNX Runtime's output is not PyTorch's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.onnx")
    module = build_module(one.name)
    try:
        _write(one, module, partial)
        error = _difference(one, module, partial)
    except Exception as failure:
        raise UserError(
            f"it cannot be exported from {one.package}: {first_line(failure)}"
        ) from failure
    if not error <= _TOLERANCE:
        raise UserError(
            f"ONNX Runtime's output of its export differs from PyTorch's by {error:.1e} "
            f"(allowed: {_TOLERANCE:g})"
        )
    partial.replace(path)


def _write(one: Contestant, module: Any, path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of each constant that it finds
        torch.onnx.export(
            module,
            example_inputs(one, SEED),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(one.inputs or ("input",)),
            output_names=["output"],
        )


def _difference(one: Contestant, module: Any, path: Path) -> float:
    """Largest difference of ONNX Runtime's output from PyTorch's, relative to its magnitude."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = example_inputs(one, SEED + 1)
    with torch.no_grad():
        expected = module(*inputs).numpy()
    names = [value.name for value in session.get_inputs()]
    feed = {name: array.numpy() for name, array in zip(names, inputs, strict=True)}
    (found,) = session.run(None, feed)
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
