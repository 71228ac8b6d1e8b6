"""Padding by a constant, by the border, mirrored or wrapped around."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.graph.converters.node import Node, RefusedError, constant, converts, shape_of

_NUMPY_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@converts("Pad")
def pad(node: Node) -> Any:
    """Any axes; negative padding cuts."""
    shape = node.shape()
    given = node.integers(1, "pads") or []
    axes = node.integers(3, "axes") if node.has(3) else list(range(len(shape)))
    axes = [axis % len(shape) for axis in axes or []]
    before, after = [0] * len(shape), [0] * len(shape)
    for place, axis in enumerate(axes):
        before[axis], after[axis] = given[place], given[place + len(axes)]
    x = _cut(node, before, after)
    before, after = [max(p, 0) for p in before], [max(p, 0) for p in after]
    if not any((*before, *after)):
        return x
    mode = node.text("mode", "constant")
    if mode == "constant":
        return _with_constant(node, x, before, after)
    if mode not in _NUMPY_MODES:
        raise RefusedError(f"mode {mode}")
    return _with_copies(node, x, before, after, mode=mode)


def _cut(node: Node, before: list[int], after: list[int]) -> Any:
    from tvm import relax

    shape, x = node.shape(), node.tensor()
    axes = [k for k in range(len(shape)) if before[k] < 0 or after[k] < 0]
    if not axes:
        return x
    begin = [max(-before[k], 0) for k in axes]
    end = [shape[k] - max(-after[k], 0) for k in axes]
    return node.emit(relax.op.strided_slice(x, axes, begin, end))


def _with_constant(node: Node, x: Any, before: list[int], after: list[int]) -> Any:
    from tvm import relax

    widths = [entry for pair in zip(before, after, strict=True) for entry in pair]
    value = node.value(2)
    if node.has(2) and value is None:
        shape = shape_of(x)
        inside = np.pad(np.ones(shape, dtype=bool), list(zip(before, after, strict=True)))
        filler = relax.op.reshape(node.tensor(2), ())
        return relax.op.where(constant(inside), relax.op.nn.pad(x, widths), filler)
    if value is None:
        value = np.asarray(node.attributes.get("value", 0.0))
    filler = float(value.ravel()[0]) if value.size else 0.0
    if node.dtype() == "bool":
        padded = relax.op.nn.pad(relax.op.astype(x, "int8"), widths, "constant", filler)
        return relax.op.astype(padded, "bool")
    return relax.op.nn.pad(x, widths, "constant", filler)


def _with_copies(node: Node, x: Any, before: list[int], after: list[int], *, mode: str) -> Any:
    """Slices of the input around it: whole runs of equal step, axis by axis."""
    from tvm import relax

    for axis, size in enumerate(shape_of(x)):
        if before[axis] or after[axis]:
            index = np.pad(np.arange(size), (before[axis], after[axis]), mode=mode)  # type: ignore[call-overload]
            parts = [_run(x, axis, first, last) for first, last in _runs(index)]
            x = node.emit(relax.op.concat(parts, axis) if len(parts) > 1 else parts[0])
    return x


def _runs(index: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run that steps by one, up or down."""
    runs: list[list[int]] = []
    for entry in index.tolist():
        if runs and _extends(runs[-1], entry):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return [(run[0], run[-1]) for run in runs]


def _extends(run: list[int], entry: int) -> bool:
    step = entry - run[-1]
    return abs(step) == 1 and (len(run) == 1 or step == run[-1] - run[-2])


def _run(x: Any, axis: int, first: int, last: int) -> Any:
    from tvm import relax

    if first <= last:
        return relax.op.strided_slice(x, [axis], [first], [last + 1])
    end = last - 1 if last else -shape_of(x)[axis] - 1
    return relax.op.strided_slice(x, [axis], [first], [end], [-1])
