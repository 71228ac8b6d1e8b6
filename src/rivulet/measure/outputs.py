"""Compare what two variants of one computation put out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def largest_relative_error(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """Largest difference over all arrays, relative to the largest magnitude in ``theirs``.

    Each array counts on its own scale. The result is infinite for a value that is not finite
    and for arrays of other shapes.
    """
    worst = 0.0
    for left, right in zip(ours, theirs, strict=True):
        if left.shape != right.shape:
            return float("inf")
        a, b = left.astype(np.float64), right.astype(np.float64)
        scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
        error = float(np.max(np.abs(a - b), initial=0.0)) / scale
        worst = max(worst, error if np.isfinite(error) else float("inf"))
    return worst
