"""Bounds of a kernel's expressions, given those of its arguments' values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rivulet.tvm_compat import intervals as iv
from rivulet.tvm_compat.intervals import Binary, Interval, Unary
from rivulet.tvm_compat.kernel_code import KernelCode, Store, identity, kind

_MAX_EXPONENT = 700.0  # beyond it exp() leaves the range of doubles
_BINARY: dict[str, Binary] = {
    "Add": iv.add, "Sub": iv.subtract, "Div": iv.divide, "FloorDiv": iv.floor_divide,
    "FloorMod": iv.floor_modulo, "Min": iv.smaller, "Max": iv.larger, "LT": iv.less,
    "LE": iv.less_or_equal, "EQ": iv.equal, "And": iv.smaller, "Or": iv.larger,
    "GT": lambda a, b: iv.less(b, a), "GE": lambda a, b: iv.less_or_equal(b, a),
    "NE": lambda a, b: iv.negation(iv.equal(a, b)),
}  # fmt: skip


def _exp(value: float) -> float:
    return math.exp(value) if value <= _MAX_EXPONENT else math.inf


def _sigmoid(value: float) -> float:
    return 1 / (1 + _exp(-value))


def _log(value: float) -> float:
    return math.log(value) if 0 < value < math.inf else (math.inf if value > 0 else -math.inf)


_UNARY: dict[str, Unary] = {
    "exp": iv.rising(_exp, -math.inf, math.inf),
    "log": iv.rising(_log, 0, math.inf),
    "sqrt": iv.rising(math.sqrt, 0, math.inf),
    "rsqrt": lambda a: iv.divide(iv.TRUE, iv.rising(math.sqrt, 0, math.inf)(a)),
    "sigmoid": iv.rising(_sigmoid, -math.inf, math.inf),
    "tanh": iv.rising(math.tanh, -math.inf, math.inf),
    "erf": iv.rising(math.erf, -math.inf, math.inf),
    "fabs": iv.absolute, "abs": iv.absolute, "likely": lambda a: a,
    "floor": iv.rising(lambda x: math.floor(x) if math.isfinite(x) else x, -math.inf, math.inf),
    "ceil": iv.rising(lambda x: math.ceil(x) if math.isfinite(x) else x, -math.inf, math.inf),
    "trunc": iv.truncated,
    "cos": lambda a: Interval(-1, 1), "sin": lambda a: Interval(-1, 1),
}  # fmt: skip


class Bounds:
    """Evaluates expressions of one kernel.

    Args:
        code: The kernel's code.
        ranges: Interval of the values of each argument, by position.
    """

    def __init__(self, code: KernelCode, ranges: Sequence[Interval]) -> None:
        self._code, self._ranges = code, ranges
        self._stored: dict[int, Interval] = {}
        self._asked: set[int] = set()

    def of(self, expression: Any) -> Interval:
        """The interval of an expression's values; anything where it cannot be told."""
        name = kind(expression)
        if name in ("IntImm", "FloatImm"):
            value = float(expression.value)
            return iv.ANYTHING if math.isnan(value) else iv.point(value)
        if name == "Var":
            return self._variable(expression)
        if name == "TensorLoad":
            return self._loaded(identity(expression.source))
        if name == "Select":
            return self._chosen(expression.condition, expression.true_value, expression.false_value)
        if name == "Cast":
            found = self.of(expression.value)
            return iv.truncated(found) if "int" in str(expression.ty.dtype) else found
        if name == "Not":
            return iv.negation(self.of(expression.a))
        if name == "Mul":
            return self._product(expression.a, expression.b)
        if name in _BINARY:
            found = _known(_BINARY[name], self.of(expression.a), self.of(expression.b))
            whole = name == "Div" and "int" in str(expression.ty.dtype)
            return iv.truncated(found) if whole else found
        return self._called(expression) if name == "Call" else iv.ANYTHING

    def _variable(self, variable: Any) -> Interval:
        name = identity(variable)
        if name in self._code.bindings:
            return self.of(self._code.bindings[name])
        return self._code.bounds.get(name, iv.ANYTHING)

    def _chosen(self, condition: Any, yes: Any, no: Any) -> Interval:
        found = self.of(condition)
        if found.within(1, 1):
            return self.of(yes)
        return self.of(no) if found.within(0, 0) else self.of(yes).union(self.of(no))

    def _product(self, a: Any, b: Any) -> Interval:
        import tvm_ffi

        if kind(a) == kind(b) and tvm_ffi.structural_equal(a, b):
            return _known(lambda one, _: iv.square(one), self.of(a), iv.TRUE)
        return _known(iv.multiply, self.of(a), self.of(b))

    def _called(self, call: Any) -> Interval:
        name = operator(call)
        if name == "if_then_else":
            return self._chosen(*call.args)
        if name == "pow" and kind(call.args[1]) == "FloatImm" and call.args[1].value == 2:
            return iv.square(self.of(call.args[0]))
        if name not in _UNARY:
            return iv.ANYTHING
        return _known(lambda one, _: _UNARY[name](one), self.of(call.args[0]), iv.TRUE)

    def _loaded(self, buffer: int) -> Interval:
        if buffer in self._code.arguments and buffer not in self._code.stores:
            return self._ranges[self._code.arguments[buffer]]
        if buffer in self._asked:
            return iv.NOTHING  # an accumulator on its way: what else goes in is what counts
        if buffer not in self._stored:
            self._asked.add(buffer)
            self._stored[buffer] = self._all_stored(buffer)
            self._asked.discard(buffer)
        return self._stored[buffer]

    def _all_stored(self, buffer: int) -> Interval:
        stores = self._code.stores.get(buffer, [])
        taking_in = [one for one in stores if _reads(one.value, buffer, self._code.bindings)]
        if taking_in:  # then constants are what it begins with
            stores = [s for s in stores if kind(s.value) not in ("IntImm", "FloatImm")]
        found = iv.NOTHING
        for store in stores:
            found = found.union(self._accumulated(store, buffer))
        return iv.ANYTHING if found.is_empty else found

    def _accumulated(self, store: Store, buffer: int) -> Interval:
        name, sides = kind(store.value), []
        if name in ("Add", "Max", "Min"):
            sides = [side for side in (store.value.a, store.value.b) if not _is_load(side, buffer)]
        if len(sides) != 1:
            return self.of(store.value)
        found = self.of(sides[0])
        return iv.repeated_sum(found, store.times) if name == "Add" else found


def operator(call: Any) -> str:
    """Name of what is called, without TVM's prefix."""
    return str(getattr(call.op, "name", "")).rpartition(".")[2]


def _known(function: Binary, a: Interval, b: Interval) -> Interval:
    if a.is_empty or b.is_empty:
        return iv.ANYTHING
    found = function(a, b)
    # Infinity less infinity, and the like.
    return iv.ANYTHING if math.isnan(found.low) or math.isnan(found.high) else found


def _is_load(expression: Any, buffer: int) -> bool:
    return kind(expression) == "TensorLoad" and identity(expression.source) == buffer


def _reads(expression: Any, buffer: int, bindings: Mapping[int, Any]) -> bool:
    """Whether an expression has a load of a buffer in it."""
    return any(_is_load(load, buffer) for load in values_in(expression, bindings))


def values_in(expression: Any, bindings: Mapping[int, Any]) -> list[Any]:
    """The loads whose values an expression's value comes from.

    What only decides which value is taken, a condition or an index, is left out.

    Args:
        expression: The expression.
        bindings: Value of each variable that is bound to one.
    """
    found: list[Any] = []
    waiting = [expression]
    while waiting:  # not by recursion: expressions may be nested deeply
        one = waiting.pop()
        if kind(one) == "TensorLoad":
            found.append(one)
        else:
            waiting += reversed(_operands(one, bindings))
    return found


def _operands(expression: Any, bindings: Mapping[int, Any]) -> list[Any]:
    """The expressions within another one that its value is made of."""
    name = kind(expression)
    if name == "Var":
        known = identity(expression) in bindings
        return [bindings[identity(expression)]] if known else []
    if name == "Select":
        return [expression.true_value, expression.false_value]
    if name == "Call":
        return list(expression.args)[1 if operator(expression) == "if_then_else" else 0 :]
    if name == "Cast":
        return [expression.value]
    if name in ("LT", "LE", "GT", "GE", "EQ", "NE", "And", "Or", "Not"):
        return []
    sides = (getattr(expression, side, None) for side in ("a", "b"))
    return [side for side in sides if side is not None]
