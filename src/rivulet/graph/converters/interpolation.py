"""Where each output of a resize takes its values from along one axis, as ONNX defines it.

In double precision, as the weights of a matrix (outputs x inputs): whatever a mode does at the
borders, with fractional scales or with antialiasing, it is linear in the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scaling:
    """How one axis is resized.

    Attributes:
        size: Extent of the input.
        output: Extent of the output.
        scale: Output over input, as the node says; not always the quotient of the extents.
        coordinates: ONNX ``coordinate_transformation_mode``.
        region: Begin and end of ``tf_crop_and_resize``, as shares of the input.
    """

    size: int
    output: int
    scale: float
    coordinates: str
    region: tuple[float, float] = (0.0, 1.0)

    def positions(self) -> np.ndarray:
        """Coordinate in the input of each output."""
        x = np.arange(self.output, dtype="float64")
        last, out = self.size - 1, self.output
        match self.coordinates:
            case "asymmetric":
                return x / self.scale
            case "align_corners":
                return x * (last / (out - 1)) if out > 1 else np.zeros(out)
            case "pytorch_half_pixel":
                return (x + 0.5) / self.scale - 0.5 if out > 1 else np.zeros(out)
            case "tf_crop_and_resize":
                begin, end = self.region
                if out == 1:
                    return np.full(1, 0.5 * (begin + end) * last)
                return begin * last + x * (end - begin) * last / (out - 1)
            case "half_pixel_symmetric":
                middle = self.size / 2
                moved = middle * (1 - out / (self.scale * self.size))
                return moved + (x + 0.5) / self.scale - 0.5
            case _:
                return (x + 0.5) / self.scale - 0.5


def nearest(scaling: Scaling, rounding: str) -> np.ndarray:
    """Index of the input that each output is."""
    x = scaling.positions()
    match rounding:
        case "round_prefer_ceil":
            index = np.floor(x + 0.5)
        case "floor":
            index = np.floor(x)
        case "ceil":
            index = np.ceil(x)
        case _:
            index = np.ceil(x - 0.5)
    return np.clip(index, 0, scaling.size - 1).astype("int64")


def matrix(
    scaling: Scaling,
    mode: str,
    cubic: float = -0.75,
    antialias: bool = False,
    *,
    exclude_outside: bool = False,
) -> np.ndarray:
    """Weights of each output, outputs x inputs.

    Args:
        scaling: The axis.
        mode: ``linear`` or ``cubic``.
        cubic: Coefficient of the cubic kernel (Keys, 1981).
        antialias: Whether the kernel is widened where the axis shrinks.
        exclude_outside: Whether elements outside the input weigh nothing, and the others more.
    """
    shrink = min(scaling.scale, 1.0) if antialias else 1.0
    reach = (1.0 if mode == "linear" else 2.0) / shrink
    result = np.zeros((scaling.output, scaling.size))
    for row, x in enumerate(scaling.positions()):
        at = np.arange(np.floor(x - reach), np.ceil(x + reach) + 1)
        distances = np.abs(at - x) * shrink
        weights = _linear(distances) if mode == "linear" else _cubic(distances, cubic)
        inside = (at >= 0) & (at < scaling.size)
        if exclude_outside or antialias:
            weights = weights / (weights[inside] if exclude_outside else weights).sum()
        if exclude_outside:
            weights = np.where(inside, weights, 0.0)
        np.add.at(result[row], np.clip(at, 0, scaling.size - 1).astype("int64"), weights)
    return result


def _linear(distance: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - distance, 0))


def _cubic(d: np.ndarray, a: float) -> np.ndarray:
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0.0)))
