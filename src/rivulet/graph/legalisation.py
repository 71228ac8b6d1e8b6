"""Loops of our own for operators whose loops in TVM leave cores or vectors idle."""

from __future__ import annotations

from typing import Any

# Fewer rows than this give two cores nothing to share.
_LEAST_ROWS = 4


def legalise(target: Any) -> Any:
    """The pass for a target; TVM's own legalisation takes what is left.

    A GPU's threads share one sum anyway, and MetaSchedule makes no schedule there of two.
    """
    from tvm import relax

    own = {"relax.mean": _mean} if target.kind.name == "llvm" else {}
    return relax.transform.LegalizeOps(own)


def _mean(builder: Any, call: Any) -> Any:
    """The mean of an image's pixels in two sums, so that rows are summed side by side."""
    from tvm.relax.transform.legalize_ops.statistical import _mean as tvm_mean

    shape = [int(extent) for extent in call.args[0].ty.shape]
    axes = sorted(int(axis) % len(shape) for axis in call.attrs.axis or [])
    if len(shape) != 4 or axes != [1, 2] or shape[1] < _LEAST_ROWS:
        return tvm_mean(builder, call)
    return builder.call_te(
        te_mean_of_pixels,
        call.args[0],
        bool(call.attrs.keepdims),
        primfunc_name_hint="mean",
    )


def te_mean_of_pixels(data: Any, keep: bool) -> Any:
    """Mean over the middle axes of (batch, height, width, channels).

    Args:
        data: The tensor.
        keep: Keep these axes, with extent 1.
    """
    from tvm import te

    batch, height, width, channels = data.shape
    column = te.reduce_axis((0, width), name="column")
    row = te.reduce_axis((0, height), name="row")
    rows = te.compute(
        (batch, height, channels),
        lambda b, i, c: te.sum(data[b, i, column, c], axis=column),
        name="rows",
    )
    total = te.compute(
        (batch, channels), lambda b, c: te.sum(rows[b, row, c], axis=row), name="total"
    )
    share = 1.0 / (int(height) * int(width))
    if keep:
        return te.compute(
            (batch, 1, 1, channels), lambda b, i, j, c: total[b, c] * share, name="mean"
        )
    return te.compute((batch, channels), lambda b, c: total[b, c] * share, name="mean")
