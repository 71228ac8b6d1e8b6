"""Compare what two variants of one computation put out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_BLOCK = 1 << 20  # elements compared at a time, in double precision: weights may take gigabytes


def largest_relative_error(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """Largest difference over all arrays, relative to the largest finite magnitude in ``theirs``.

    Each array counts on its own scale. Where both have "not a number", or the same infinity, they
    are equal there: a model may well compute it. The result is infinite where one of them has it
    alone, and for arrays of other shapes.
    """
    return max((_error(*pair) for pair in zip(ours, theirs, strict=True)), default=0.0)


def _error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The same of one pair of arrays."""
    if ours.shape != theirs.shape:
        return math.inf
    if np.array_equal(ours, theirs):
        return 0.0  # inputs and weights, which no kernel changes
    scale = error = 0.0
    ours_flat, theirs_flat = ours.reshape(-1), theirs.reshape(-1)
    for start in range(0, ours.size, _BLOCK):
        one = ours_flat[start : start + _BLOCK].astype(np.float64)
        other = theirs_flat[start : start + _BLOCK].astype(np.float64)
        finite = np.isfinite(one) & np.isfinite(other)
        if not finite.all():
            if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
                return math.inf
            one, other = one[finite], other[finite]
        if one.size:
            error = max(error, float(np.max(np.abs(one - other))))
            scale = max(scale, float(np.max(np.abs(other))))
    return error / (scale or 1.0)
