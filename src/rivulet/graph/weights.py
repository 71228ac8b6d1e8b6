"""What depends on weights alone is computed once, and not in each inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.weights import TRANSFORM


def compute_from_weights(module: Any, weights: list[np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    """Run the part of an inference function that reads no input.

    Args:
        module: ``IRModule`` with ``main``, whose attribute ``num_input`` tells inputs from weights.
        weights: The weights' numbers.

    Returns:
        The module without that part, and the numbers of the weights that it reads then.
    """
    tvm = load_tvm()
    from tvm import relax

    if not computed_from_weights(module["main"]):
        return module, weights
    passes = relax.transform
    lifted = passes.LiftTransformParams()(module)
    transform = passes.DeadCodeElimination([TRANSFORM])(_without(lifted, "main"))
    # The target may be another machine's. This is run here, in any case.
    host = tvm.target.Target({"kind": "llvm"})
    with host:
        machine = relax.VirtualMachine(tvm.compile(transform, host), tvm.cpu())
    given = [tvm.runtime.tensor(np.asarray(weight, order="C")) for weight in weights]
    computed = [tensor.numpy() for tensor in machine[TRANSFORM](given)]
    return passes.DeadCodeElimination(["main"])(_without(lifted, TRANSFORM)), computed


def computed_from_weights(function: Any) -> set[Any]:
    """Variables of an inference function that are computed of weights and numbers alone."""
    from tvm import relax

    weights = set(function.params[int(function.attrs["num_input"]) :])
    known = set(weights)
    for block in function.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, relax.Call) and (read := _variables(value)) and read <= known:
                known.add(binding.var)
    return known - weights


def _variables(expression: Any) -> set[Any]:
    from tvm import relax

    if isinstance(expression, relax.Var):
        return {expression}
    if isinstance(expression, relax.Call):
        return {v for argument in expression.args for v in _variables(argument)}
    if isinstance(expression, relax.Tuple):
        return {v for one in expression.fields for v in _variables(one)}
    if isinstance(expression, relax.TupleGetItem):
        return _variables(expression.tuple_value)
    return set()


def _without(module: Any, function: str) -> Any:
    tvm = load_tvm()
    return tvm.IRModule(
        {name: f for name, f in module.functions_items() if name.name_hint != function}
    )
