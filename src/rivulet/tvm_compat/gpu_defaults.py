"""TVM's default schedules for GPUs: what a kernel without a schedule of its own runs with there."""

from __future__ import annotations

from typing import Any

from rivulet.tvm_compat.startup import load_tvm


def with_default_threads(module: Any, target: Any) -> Any:
    """A module whose functions are bound to a GPU's threads, those that are not yet by default.

    A loop that is bound to no thread runs on no GPU at all. The rules are those that TVM's own
    pipeline for whole models applies, so that a kernel alone is what it is in its model.

    Args:
        module: ``IRModule`` of kernels, scheduled or not.
        target: TVM target of a GPU.
    """
    tvm = load_tvm()
    from tvm.s_tir import dlight as dl

    rules = (
        dl.gpu.Matmul(), dl.gpu.GEMV(), dl.gpu.Reduction(), dl.gpu.GeneralReduction(),
        dl.gpu.Fallback(),
    )  # fmt: skip
    bare = {
        name: function
        for name, function in module.functions_items()
        if not _binds_threads(function.body)
    }
    if not bare:
        return module
    with target:
        bound = dl.ApplyDefaultSchedule(*rules)(tvm.IRModule(bare))
    return tvm.IRModule({**dict(module.functions_items()), **dict(bound.functions_items())})


def _binds_threads(body: Any) -> bool:
    import tvm_ffi
    from tvm import tirx

    found = False

    def look(loop: Any) -> None:
        nonlocal found
        found = found or loop.kind == tirx.ForKind.THREAD_BINDING

    tvm_ffi.structural_walk(body, [(tirx.For, look)], order="post")
    return found
