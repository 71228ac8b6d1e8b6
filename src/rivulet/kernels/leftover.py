"""Operators of a prepared model that became no kernel."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rivulet.errors import UserError
from rivulet.tvm_compat import load_tvm

# Kernels, and what TVM's runtime does by itself: views, and what is known of shapes.
_RUNTIME = (
    "relax.call_", "relax.builtin.", "relax.memory.", "relax.vm.", "relax.reshape",
    "relax.shape_of", "relax.shape_to_tensor", "relax.tensor_to_shape", "relax.null_value",
    "relax.print", "relax.assert_op",
)  # fmt: skip


def operators_left(module: Any) -> Counter[str]:
    """Operators of the inference function that are neither kernels nor the runtime's.

    Args:
        module: The prepared module.

    Returns:
        How many calls there are of each.
    """
    tvm = load_tvm()
    from tvm import relax

    found: Counter[str] = Counter()

    def look(expression: Any) -> None:
        if isinstance(expression, relax.Call) and isinstance(expression.op, tvm.ir.Op):
            name = str(expression.op.name)
            if not name.startswith(_RUNTIME):
                found[name] += 1

    relax.analysis.post_order_visit(module["main"], look)
    return found


def refuse_leftovers(module: Any, target: Any) -> Counter[str]:
    """Refuse a model with operators that TVM cannot compile, before anything is searched.

    Args:
        module: The prepared module.
        target: TVM target.

    Returns:
        Operators that run although they are no kernels, such as sorting: TVM has code for them
        that is put in as the model is compiled, and that nothing searches schedules for.

    Raises:
        UserError: There is no code for some; the message names them.
    """
    untuned = operators_left(module)
    if not untuned:
        return untuned
    tvm = load_tvm()
    from tvm import relax

    passes = [
        relax.backend.DispatchSampling(),
        relax.backend.DispatchSortScan(),
        relax.transform.LegalizeOps(),
    ]
    with target, tvm.transform.PassContext(opt_level=3):
        without_code = operators_left(tvm.transform.Sequential(passes)(module))
    if without_code:
        raise UserError(
            f"TVM has no loops for {listed(without_code)}; export the model without them "
            "(docs/operators.md lists what can be compiled)"
        )
    return untuned


def listed(operators: Counter[str]) -> str:
    """The operators and how many there are of each, for a person."""
    return ", ".join(
        f"{name} ({count} of them)" if count > 1 else name
        for name, count in sorted(operators.items())
    )
