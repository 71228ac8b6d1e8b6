"""Resize and Upsample: TVM's operator where it computes just that, else indices or matrices.

TVM's ``image.resize2d`` knows extents only: scales that are not the quotient of the extents,
antialiasing, and axes other than the last two are beyond it. What it cannot do is a gather with
constant indices for the nearest neighbour, and one matrix product with constant weights for each
axis otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rivulet.graph.converters.interpolation import Scaling, matrix, nearest
from rivulet.graph.converters.node import Node, RefusedError, constant, converts

# As TVM calls the ways to find a coordinate that it computes as ONNX does.
_SAME_COORDINATES = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}


@converts("Resize")
def resize(node: Node) -> Any:
    """Values between those of the input, over any axes."""
    return _resized(node, *_scalings(node))


@converts("Upsample")
def upsample(node: Node) -> Any:
    """The form of operator sets before 10: nearest is rounded down, nothing is centred."""
    given = node.attributes.get("scales")
    scales = node.known(1, "scales") if given is None else np.asarray(given)
    sizes = node.shape()
    axes = {
        axis: Scaling(size, math.floor(size * scale), float(scale), "asymmetric")
        for axis, (size, scale) in enumerate(zip(sizes, scales, strict=True))
        if scale != 1
    }
    return _resized(node, axes, "floor")


def _scalings(node: Node) -> tuple[dict[int, Scaling], str]:
    """The axes that change, and the rounding of the nearest neighbour."""
    shape = node.shape()
    axes = node.attributes.get("axes")
    axes = [a % len(shape) for a in axes] if axes is not None else list(range(len(shape)))
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    regions = [(0.0, 1.0)] * len(axes)
    if coordinates == "tf_crop_and_resize":
        roi = node.known(1, "region of interest").astype("float64").tolist()
        regions = list(zip(roi[: len(axes)], roi[len(axes) :], strict=True))
    extents = _extents(node, [shape[axis] for axis in axes])
    found = {}
    for axis, region, (output, scale) in zip(axes, regions, extents, strict=True):
        scaling = Scaling(shape[axis], output, scale, coordinates, region)
        if coordinates == "align_corners" and abs(scale * shape[axis] - output) > 1e-3:
            # The standard divides by scale x extent - 1, ONNX Runtime by what is left of it.
            raise RefusedError(
                f"align_corners with a scale of {scale:g} on {shape[axis]} has no one meaning; "
                "export it with sizes"
            )
        if output != shape[axis] or scale != 1 or region != (0.0, 1.0):
            found[axis] = scaling
    return found, node.text("nearest_mode", "round_prefer_floor")


def _extents(node: Node, sizes: list[int]) -> list[tuple[int, float]]:
    """Extent of the output and scale of each axis that the node is about."""
    sizes_given = node.has(3) and node.known(3, "sizes").size > 0
    if not sizes_given:
        scales = [float(scale) for scale in node.known(2, "scales")]
        return [(math.floor(n * s), s) for n, s in zip(sizes, scales, strict=True)]
    outputs = [int(extent) for extent in node.known(3, "sizes")]
    scales = [output / size for output, size in zip(outputs, sizes, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return list(zip(outputs, scales, strict=True))
    if "axes" not in node.attributes and len(set(scales)) > 1:
        # By the standard the batch's scale of 1 counts too; ONNX Runtime stretches.
        raise RefusedError(f"{policy} without axes has no one meaning; export it with axes")
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [(math.floor(scale * size + 0.5), scale) for size in sizes]


def _resized(node: Node, axes: dict[int, Scaling], rounding: str) -> Any:
    from tvm import relax

    x, mode = node.tensor(), node.text("mode", "nearest")
    if mode == "nearest":
        if (whole := _repeated(node, axes, rounding)) is not None:
            return whole
        for axis, scaling in axes.items():
            x = relax.op.take(x, constant(nearest(scaling, rounding)), axis=axis)
        return _outside(node, x, axes)
    if mode not in ("linear", "cubic"):
        raise RefusedError(f"mode {mode}")
    if "float" not in node.dtype():
        raise RefusedError(f"mode {mode} of {node.dtype()}")
    if _as_tvm_does(node, axes):
        return _resize2d(node, axes, mode, "")
    for axis, scaling in axes.items():
        x = _product(node, x, axis, _weights(node, scaling, mode))
    return _outside(node, x, axes)


def _weights(node: Node, scaling: Scaling, mode: str) -> np.ndarray:
    weights = matrix(
        scaling,
        mode,
        cubic=float(node.attributes.get("cubic_coeff_a", -0.75)),
        antialias=bool(node.attributes.get("antialias", 0)),
        exclude_outside=bool(node.attributes.get("exclude_outside", 0)),
    )
    return weights.astype(node.dtype())


def _product(node: Node, x: Any, axis: int, weights: np.ndarray) -> Any:
    """The axis replaced by the products of its values with each row of weights."""
    from tvm import relax

    rank = len(node.shape())
    if axis == rank - 1:
        return relax.op.matmul(x, constant(weights.T.copy()))
    if axis == rank - 2:
        return relax.op.matmul(constant(weights), x)
    order = [k for k in range(rank) if k != axis] + [axis]
    y = relax.op.matmul(relax.op.permute_dims(x, order), constant(weights.T.copy()))
    return relax.op.permute_dims(y, [order.index(k) for k in range(rank)])


def _outside(node: Node, y: Any, axes: dict[int, Scaling]) -> Any:
    """The extrapolation value where a coordinate lies outside the input."""
    from tvm import relax

    rank = len(node.shape())
    for axis, scaling in axes.items():
        x = scaling.positions()
        outside = (x < 0) | (x > scaling.size - 1)
        if scaling.coordinates != "tf_crop_and_resize" or not outside.any():
            continue
        mask = constant(outside.reshape([-1 if k == axis else 1 for k in range(rank)]))
        value = float(node.attributes.get("extrapolation_value", 0.0))
        y = relax.op.where(mask, node.scalar(value), y)
    return y


def _repeated(node: Node, axes: dict[int, Scaling], rounding: str) -> Any:
    """TVM's operator, where each output of an image is the input at a rounded-down quotient."""
    if len(node.shape()) != 4 or not set(axes) <= {2, 3}:
        return None
    for scaling in axes.values():
        if scaling.coordinates == "tf_crop_and_resize":
            return None
        down = np.arange(scaling.output) * scaling.size // scaling.output
        if (down != nearest(scaling, rounding)).any():
            return None
    return _resize2d(node, axes, "nearest_neighbor", "floor")


def _as_tvm_does(node: Node, axes: dict[int, Scaling]) -> bool:
    if len(node.shape()) != 4 or set(axes) != {2, 3}:
        return False
    if node.attributes.get("antialias", 0) or node.attributes.get("exclude_outside", 0):
        return False
    return all(
        scaling.coordinates in _SAME_COORDINATES
        and scaling.output > 1
        and math.isclose(scaling.scale, scaling.output / scaling.size, rel_tol=1e-6)
        for scaling in axes.values()
    )


def _resize2d(node: Node, axes: dict[int, Scaling], method: str, rounding: str) -> Any:
    from tvm import relax

    shape = node.shape()
    size = [axes[axis].output if axis in axes else shape[axis] for axis in (2, 3)]
    coordinates = next(iter(axes.values())).coordinates if axes else "asymmetric"
    return relax.op.image.resize2d(
        node.tensor(),
        tuple(size),
        roi=(0.0, 0.0, 0.0, 0.0),
        layout="NCHW",
        method=method,
        coordinate_transformation_mode="asymmetric" if rounding else coordinates,
        rounding_method=rounding,
        cubic_alpha=float(node.attributes.get("cubic_coeff_a", -0.75)),
    )
