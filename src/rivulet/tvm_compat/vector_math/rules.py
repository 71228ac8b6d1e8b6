"""Registration of the functions as TVM's lowering rules for CPUs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from rivulet.tvm_compat.vector_math import linking
from rivulet.tvm_compat.vector_math.error_function import erf
from rivulet.tvm_compat.vector_math.exponential import exp
from rivulet.tvm_compat.vector_math.hyperbolic import cosh, sinh, tanh
from rivulet.tvm_compat.vector_math.llvm import Function, Value
from rivulet.tvm_compat.vector_math.logarithm import log
from rivulet.tvm_compat.vector_math.logistic import sigmoid
from rivulet.tvm_compat.vector_math.power import covers, power

Body = Callable[[Function, Value], Value]
FUNCTIONS: dict[str, Body] = {
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "erf": erf,
    "sigmoid": sigmoid,
    "sinh": sinh,
    "cosh": cosh,
}
# Of these TVM's vectorisation does not know that they may be called with vectors: it makes a plain
# loop of a vectorised one with such a call.
_MAY_BE_VECTORS = ("erf", "rsqrt", "nearbyint")
_TARGET = "llvm"
_ABOVE_TVM = 20  # TVM registers its own rules at 10
_REPLACED = re.compile(r"float(16|32)(?:x(\d+))?")
_in_use = True


@cache
def register() -> None:
    """Make TVM lower calls of these functions to vector arithmetic when it compiles for CPUs."""
    from tvm import tirx
    from tvm.ir import Op

    linking.install()
    for name in _MAY_BE_VECTORS:
        Op.get(f"tirx.{name}").set_attr("TVectorizable", True)
    for name in (*FUNCTIONS, "pow"):
        rule = _rule(name, _own_rule(name))
        tirx.register_intrin_lowering(f"tirx.{name}", target=_TARGET, f=rule, level=_ABOVE_TVM)


@contextmanager
def left_to_tvm() -> Iterator[None]:
    """What is compiled within calls the C library as TVM does, to be compared with."""
    global _in_use
    _in_use = False
    try:
        yield
    finally:
        _in_use = True


def _rule(name: str, otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def lower(call: Any) -> Any:
        from tvm import tirx

        found = _REPLACED.fullmatch(call.ty.dtype)
        body = _body(name, call) if found and _in_use else None
        if found is None or body is None:
            return otherwise(call)
        title, function = body
        lanes = int(found[2] or 1)
        single = f"float32x{lanes}" if lanes > 1 else "float32"
        symbol = linking.wanted(title, lanes, function)
        result = tirx.call_pure_extern(single, symbol, call.args[0].astype(single))
        return result.astype(call.ty)

    return lower


def _body(name: str, call: Any) -> tuple[str, Body] | None:
    """Name and code of the function of one argument that a call comes to."""
    if name != "pow":
        return name, FUNCTIONS[name]
    exponent = _constant(call.args[1])
    if exponent is None or not covers(exponent):
        return None
    return f"pow_{round(exponent * 4)}_quarters".replace("-", "minus_"), partial(
        power, exponent=exponent
    )


def _constant(value: Any) -> float | None:
    from tvm import tirx

    if isinstance(value, tirx.Broadcast):
        value = value.value
    return float(value.value) if isinstance(value, tirx.FloatImm | tirx.IntImm) else None


def _own_rule(name: str) -> Callable[[Any], Any]:
    """What TVM itself does with a function on CPUs."""
    from tvm.ir import Op

    operator = Op.get(f"tirx.{name}")
    for table in (f"{_TARGET}.FLowerIntrinsic", "default.FLegalize"):
        rule: Callable[[Any], Any] | None = operator.get_attr(table)
        if rule is not None:
            return rule
    return _one_by_one


def _one_by_one(call: Any) -> Any:
    """A call for each lane; the call of a scalar comes back as it is, and TVM goes on with it."""
    from tvm import tirx
    from tvm.ir import Call

    lanes = call.ty.dtype.lanes
    if lanes == 1:
        return call
    operands = [tirx.Var("operand", operand.ty) for operand in call.args]
    scalar = call.ty.dtype.with_lanes(1)
    calls = [
        Call(call.op, [tirx.Shuffle([v], [lane]) for v in operands], ret_ty=scalar)
        for lane in range(lanes)
    ]
    result = tirx.Shuffle(calls, list(range(lanes)))
    for variable, operand in zip(operands, call.args, strict=True):
        result = tirx.Let(variable, operand, result)
    return result
