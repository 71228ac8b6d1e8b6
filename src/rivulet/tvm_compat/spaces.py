"""MetaSchedule's search space for a kernel on a target."""

from __future__ import annotations

from typing import Any

from rivulet.tvm_compat.targets import CUDA, is_gpu


def tune_context(module: Any, target: Any, threads: int, seed: int | None = None) -> Any:
    """A ``TuneContext`` with the target's schedule rules and postprocessors.

    For GPUs from compute capability 7.0 on, MetaSchedule would take its rules for tensor cores.
    None of them applies to float32, and they need tensor intrinsics that take seconds to load in
    every process: its rules for CUDA cores are what is left of them.

    Args:
        module: The kernel's unscheduled module.
        target: TVM target.
        threads: Threads of the context.
        seed: Seed of its sampling, from 1; None for any.
    """
    from tvm.s_tir import meta_schedule as ms

    space: Any = "post-order-apply"
    if is_gpu(target):
        space = ms.space_generator.PostOrderApply(
            sch_rules=CUDA, postprocs=CUDA, mutator_probs=CUDA
        )
    return ms.TuneContext(
        mod=module, target=target, space_generator=space, num_threads=threads,
        **({} if seed is None else {"rand_state": seed}),
    )  # fmt: skip
