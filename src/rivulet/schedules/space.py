"""The search space that a hardware's config names."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.hardware.vectors import vector_registers
from rivulet.schedules.register_tiles import RegisterTiles

REGISTER_TILES = "register-tiles"


def space_tiles(space: str, target: Any, threads: int, dtype: str) -> RegisterTiles | None:
    """Register tiles that a kernel's schedules are held to; None for TVM's whole space.

    Args:
        space: The hardware's search space, ``register-tiles`` or ``stock``.
        target: TVM target.
        threads: Threads that a kernel runs on.
        dtype: Data type that the kernel computes in.
    """
    registers = vector_registers(target) if space == REGISTER_TILES else None
    if registers is None:
        return None
    lanes = max(1, registers.bytes // np.dtype(dtype).itemsize)
    return RegisterTiles(lanes, registers.count, threads)
