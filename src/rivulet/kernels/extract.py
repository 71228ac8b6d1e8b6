"""Take the tunable kernels out of a prepared model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.graph.prepare import PreparedModel
from rivulet.kernels.classes import kernel_class
from rivulet.kernels.kernel import Kernel
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.arguments import kernel_arguments
from rivulet.tvm_compat.names import structural_name


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


def refuse_others(module: Any, kernels: Iterable[str], table: Path) -> None:
    """Refuse a prepared model whose kernels are not those that were searched: it would run untuned.

    Args:
        module: The prepared module.
        kernels: Workloads of the kernels that were extracted.
        table: Where they stand, for the message.

    Raises:
        UserError: A kernel is not among them.
    """
    searched = set(kernels)
    others = [
        name for name, workload in function_workloads(module).items()
        if workload not in searched and not _is_view({"main": module[name]})
    ]  # fmt: skip
    if others:
        raise UserError(
            f"{table}: {len(others)} of the model's kernels are not in it, such as {others[0]}: "
            "models are prepared otherwise since it was made; make it anew with "
            "'snakemake --forcerun extract_kernels'"
        )


def function_workloads(module: Any) -> dict[str, str]:
    """The workload of each kernel function of a prepared module, by its name."""
    tvm = load_tvm()
    return {
        name.name_hint: workload_hash({"main": function.with_attr("global_symbol", "main")})
        for name, function in module.functions_items()
        if isinstance(function, tvm.tirx.PrimFunc)
    }


def workload_hash(module: Any) -> str:
    """Structural hash of a workload's module, as a hexadecimal number."""
    return structural_name(module["main"])


def _run_order(module: Any) -> dict[str, tuple[int, str]]:
    """Map each workload to (position of its first call, name of the function called there)."""
    tvm = load_tvm()
    workloads = function_workloads(module)
    order: dict[str, tuple[int, str]] = {}
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            call = getattr(binding, "value", None)
            function = call.args[0] if isinstance(call, tvm.relax.Call) and call.args else None
            if isinstance(function, tvm.ir.GlobalVar) and function.name_hint in workloads:
                key = workloads[function.name_hint]
                order.setdefault(key, (len(order), function.name_hint))
    return order
