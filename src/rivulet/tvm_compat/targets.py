"""What kind of device a TVM target stands for."""

from __future__ import annotations

from typing import Any

CUDA = "cuda"


def is_gpu(target: Any) -> bool:
    """Whether kernels for the target run on a GPU, with loops bound to its threads."""
    return str(target.kind.name) == CUDA
