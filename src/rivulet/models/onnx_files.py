"""ONNX files of any size: what one file cannot hold lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MOST_BYTES = (1 << 31) - (1 << 24)  # a protobuf message holds 2 GB, the graph included


def weights_beside(path: Path) -> Path:
    """Where the weights of an ONNX file lie when they do not fit into it."""
    return path.with_name(f"{path.name}.weights")


def save_onnx(model: Any, path: Path) -> None:
    """Save a model as one file, or as two when its weights need more than 2 GB.

    Args:
        model: ``onnx.ModelProto`` with its weights loaded.
        path: File to write; `weights_beside` is the second one.
    """
    import onnx

    beside = weights_beside(path)
    beside.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= _MOST_BYTES:
        onnx.save(model, str(path))
        return
    onnx.save(
        model, str(path), save_as_external_data=True, all_tensors_to_one_file=True,
        location=beside.name,
    )  # fmt: skip
