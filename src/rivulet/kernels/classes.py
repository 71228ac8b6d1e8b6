"""Kernel classes: kernels that compute the same sequence of operations on other shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence


def kernel_class(task: str, shapes: Sequence[Sequence[int]] = ()) -> str:
    """Class of a kernel from its TVM task name and its argument shapes.

    TVM numbers every operation as it meets it (``fused_conv2d9_add7_relu4``); the numbers say
    nothing about the computation and would put almost every kernel in a class of its own.
    Convolutions over groups of channels share the name of dense ones but not their loops, so
    the shapes of input (NHWC) and weights (HWIO) tell them apart. So they do for products of
    matrices: those within attention have one on each side for every head, and no weights.

    >>> kernel_class("fused_conv2d9_add7_relu4")
    'conv2d_add_relu'
    >>> kernel_class("fused_conv2d1_add1", [(1, 8, 8, 16), (3, 3, 1, 16), (1, 8, 8, 16)])
    'depthwise_conv2d_add'
    >>> kernel_class("fused_matmul3", [(1, 12, 50, 64), (1, 12, 64, 50), (1, 12, 50, 50)])
    'batch_matmul'
    >>> kernel_class("max_pool2d1")
    'max_pool2d'
    """
    name = task.removeprefix("fused_")
    kind = "_".join(filter(None, (re.sub(r"\d+$", "", part) for part in name.split("_"))))
    if kind.startswith("conv2d") and len(shapes) > 1 and len(shapes[0]) == len(shapes[1]) == 4:
        channels, channels_per_group = shapes[0][3], shapes[1][2]
        if channels_per_group == 1 < channels:
            return f"depthwise_{kind}"
        if channels_per_group != channels:
            return f"grouped_{kind}"
    if kind.startswith("matmul") and len(shapes) > 1 and len(shapes[0]) == len(shapes[1]) > 2:
        return f"batch_{kind}"
    return kind
