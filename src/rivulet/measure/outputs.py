"""Compare what two variants of one computation put out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCK = 1 << 20  # elements compared at a time, in double precision: weights may take gigabytes


def largest_relative_error(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """Largest difference over all arrays, relative to the largest magnitude in ``theirs``.

    Each array counts on its own scale. The result is infinite for a value that is not finite
    and for arrays of other shapes.
    """
    worst = 0.0
    for left, right in zip(ours, theirs, strict=True):
        if left.shape != right.shape:
            return float("inf")
        if np.array_equal(left, right) and np.isfinite(left).all():
            continue  # inputs and weights, which no kernel changes
        scale = error = 0.0
        ours_flat, theirs_flat = left.reshape(-1), right.reshape(-1)
        for start in range(0, left.size, _BLOCK):
            one = ours_flat[start : start + _BLOCK].astype(np.float64)
            other = theirs_flat[start : start + _BLOCK].astype(np.float64)
            with np.errstate(invalid="ignore"):  # infinity less infinity, which is caught below
                difference = float(np.max(np.abs(one - other)))
            if not np.isfinite(difference):
                return float("inf")
            error = max(error, difference)
            scale = max(scale, float(np.max(np.abs(other))))
        worst = max(worst, error / (scale or 1.0))
    return worst
