"""What TVM can tell of a scheduled kernel without building it: a few figures per store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# Layout of MetaSchedule's per-store features, which TVM does not name.
_FLOAT_OPERATIONS = slice(0, 7)
_ANNOTATIONS = {"vector": 16, "unrolled": 27, "parallel": 38}  # number of loops, then their extent
_BUFFERS, _BUFFER_COUNT, _BUFFER_LENGTH = 57, 5, 18
_BYTES, _UNIQUE_BYTES, _LINES, _REUSE_BYTES, _STRIDE = 3, 4, 5, 11, 17


@dataclass(frozen=True)
class BufferAccess:
    """How one store's statement touches one buffer.

    Attributes:
        bytes: Bytes touched over all loops, counted as often as they are touched.
        unique_bytes: Bytes of the part that is touched at all.
        lines: Cache lines touched, counted as often as they are touched.
        reuse_bytes: Bytes touched between two uses of the same element; 0 without reuse.
        stride: Elements between two neighbours of the innermost loop.
    """

    bytes: float
    unique_bytes: float
    lines: float
    reuse_bytes: float
    stride: float


@dataclass(frozen=True)
class Store:
    """One store statement of a lowered kernel, over all of its loops.

    Attributes:
        operations: Floating-point operations.
        vector: Extent of the vectorised loops around it; 1 without.
        unrolled: Extent of the unrolled loops around it; 1 without.
        parallel: Extent of the parallel loops around it; 1 without.
        buffers: The buffers it reads and writes, five at most.
    """

    operations: float
    vector: float
    unrolled: float
    parallel: float
    buffers: tuple[BufferAccess, ...]


def kernel_stores(module: Any, target: Any) -> list[Store]:
    """Stores of a scheduled kernel; none where TVM cannot lower it far enough to tell.

    Args:
        module: Scheduled ``IRModule`` with the function ``main``.
        target: ``tvm.target.Target`` that it is scheduled for.
    """
    from tvm.s_tir import Schedule
    from tvm.s_tir import meta_schedule as ms

    context = ms.TuneContext(target=target, num_threads=1)
    candidate = ms.MeasureCandidate(Schedule(module), [])
    extractor = ms.feature_extractor.PerStoreFeature(buffers_per_store=_BUFFER_COUNT)
    (features,) = extractor.extract_from(context, [candidate])
    # TVM gives magnitudes as the signed logarithm to base 2 of one more.
    rows = features.numpy().astype(np.float64)
    return [_store(np.sign(row) * (np.exp2(np.abs(row)) - 1.0)) for row in rows]


def _store(row: np.ndarray) -> Store:
    extents = {
        name: float(row[at + 1]) if row[at] > 0 else 1.0 for name, at in _ANNOTATIONS.items()
    }
    buffers = row[_BUFFERS : _BUFFERS + _BUFFER_COUNT * _BUFFER_LENGTH]
    accesses = [
        BufferAccess(
            bytes=float(part[_BYTES]),
            unique_bytes=float(part[_UNIQUE_BYTES]),
            lines=float(part[_LINES]),
            reuse_bytes=float(part[_REUSE_BYTES]),
            stride=float(part[_STRIDE]),
        )
        for part in buffers.reshape(_BUFFER_COUNT, _BUFFER_LENGTH)
        if part[_BYTES] > 0
    ]
    operations = float(row[_FLOAT_OPERATIONS].sum())
    return Store(operations, **extents, buffers=tuple(accesses))
