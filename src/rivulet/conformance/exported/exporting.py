"""Export a module by one of PyTorch's two exporters, with what these do by default."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

from rivulet.conformance.exported.samples import Sample

# By name, the flag `dynamo` of PyTorch's `torch.onnx.export` that chooses each.
EXPORTERS = {"torchscript": False, "dynamo": True}


def export_sample(sample: Sample, exporter: str, path: Path) -> None:
    """Write a model as ONNX.

    The operator set is the exporter's own choice, as it is where a user says nothing.

    Args:
        sample: The model.
        exporter: One of `EXPORTERS`.
        path: File to write.
    """
    import torch

    module, inputs = sample.module(), sample.inputs()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the older exporter's age, and of each constant
        torch.onnx.export(
            module,
            inputs,
            str(path),
            dynamo=EXPORTERS[exporter],
            input_names=list(sample.shapes),
            output_names=["output"],
        )
