"""Take the tunable kernels out of a prepared model."""

from __future__ import annotations

from typing import Any

from rivulet.graph.prepare import PreparedModel
from rivulet.kernels.classes import kernel_class
from rivulet.kernels.kernel import Kernel
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import kernel_arguments


def extract_kernels(model: PreparedModel, target: Any) -> list[Kernel]:
    """Kernels of the inference function, in the order in which the model first runs them.

    TVM's own extraction returns them in an order that changes from run to run; everything
    downstream is seeded and needs one that does not. Reshapes are left out: they do nothing.
    """
    tvm = load_tvm()
    from tvm.s_tir.meta_schedule.relax_integration import extract_tasks

    first_run = _run_order(model.module)
    kernels = []
    for task in extract_tasks(model.module, target):
        module = task.dispatched[0]
        if _is_view(module):
            continue
        workload = workload_hash(module)
        arguments = kernel_arguments(module, packed=False)
        shapes = tuple(shape for shape, _ in arguments)
        name = first_run.get(workload, (len(first_run), task.task_name))[1]
        kernels.append(
            Kernel(
                task=name,
                kind=kernel_class(name, shapes),
                shapes=shapes,
                dtype=arguments[-1][1],
                flops=float(tvm.s_tir.analysis.estimate_tir_flops(module)),
                weight=int(task.weight),
                workload=workload,
                module=module,
            )
        )
    return sorted(kernels, key=lambda k: first_run.get(k.workload, (len(first_run), k.task)))


def _is_view(module: Any) -> bool:
    """A reshape and nothing else: compiled, it is another look at the same memory."""
    from tvm.relax.analysis import has_reshape_pattern

    return bool(has_reshape_pattern(module["main"]))


def workload_hash(module: Any) -> str:
    """Structural hash of a workload's module, as a hexadecimal number."""
    import tvm_ffi

    return f"{tvm_ffi.structural_hash(module['main']) & (2**64 - 1):016x}"


def _run_order(module: Any) -> dict[str, tuple[int, str]]:
    """Map each workload to (position of its first call, name of the function called there)."""
    tvm = load_tvm()
    order: dict[str, tuple[int, str]] = {}
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            call = getattr(binding, "value", None)
            function = call.args[0] if isinstance(call, tvm.relax.Call) and call.args else None
            if isinstance(function, tvm.ir.GlobalVar) and function in module.functions:
                body = module[function].with_attr("global_symbol", "main")
                key = workload_hash({"main": body})
                order.setdefault(key, (len(order), function.name_hint))
    return order
