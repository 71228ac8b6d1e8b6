"""Kernels that the benchmarks run on."""

import tempfile
from pathlib import Path

from rivulet.errors import UserError
from rivulet.graph.prepare import prepare_model
from rivulet.kernels import load_kernels
from rivulet.kernels.extract import extract_kernels
from rivulet.models.export import export_torchvision


def benchmark_kernels(workloads, target):
    """Kernels of a workloads file; without one those of resnet18 with an input of 64 x 64."""
    if workloads is not None and not workloads.exists():
        raise UserError(f"{workloads}: no such file; the workflow writes one for each model")
    if workloads is not None:
        return load_kernels(workloads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.onnx"
        export_torchvision("resnet18", [1, 3, 64, 64], "random", 0, path=path, say=print)
        return extract_kernels(prepare_model(path, target), target)
