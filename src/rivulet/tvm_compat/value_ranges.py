"""From what values a kernel's arguments are drawn, by what the kernel does with them.

Random numbers do not suit every argument: an index has to lie within what it indexes, or the
kernel ends its process; a root of a negative number is not a number, and two schedules cannot be
compared by it. So every access and every operation with a domain is a condition, and arguments
that it depends on are drawn from the first range within which interval arithmetic proves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.tvm_compat.bounds import Bounds, operator, values_in
from rivulet.tvm_compat.intervals import Interval
from rivulet.tvm_compat.kernel_code import KernelCode, identity, kind

PLAIN = Interval(-1, 1)
PLAIN_WHOLE = Interval(0, 7)
TRUTH = Interval(0, 1)
# Ranges for arguments of an operation with a domain, the most ordinary first.
_POSITIVE, _FRACTION, _ABOVE_ONE = Interval(0.5, 1.5), Interval(0.1, 0.9), Interval(1.25, 2.0)
_NOT_ZERO = Interval(1, 7)
_TINY = 1e-30

Holds = Callable[[Interval], bool]


def _above_zero(found: Interval) -> bool:
    return found.within(_TINY, math.inf)


def _no_zero(found: Interval) -> bool:
    return not found.is_empty and not found.has_zero


_DOMAINS: dict[str, Holds] = {
    "sqrt": lambda found: found.within(0, math.inf),
    "rsqrt": _above_zero,
    "log": _above_zero,
    "log2": _above_zero,
    "log10": _above_zero,
    "log1p": lambda found: found.within(-1, math.inf) and found.low > -1,
    "acos": lambda found: found.within(-1, 1),
    "asin": lambda found: found.within(-1, 1),
    "acosh": lambda found: found.within(1, math.inf),
    "atanh": lambda found: found.within(-1, 1) and found.low > -1 and found.high < 1,
}


@dataclass(frozen=True)
class _Condition:
    """What must hold of an expression, and the arguments that it depends on.

    Attributes:
        expression: The expression.
        holds: Whether all values of an interval are allowed.
        arguments: Positions of the arguments.
        extents: Extents of what it indexes; none for an operation with a domain.
    """

    expression: Any
    holds: Holds
    arguments: tuple[int, ...]
    extents: tuple[int, ...] = ()


def value_ranges(code: KernelCode) -> tuple[Interval, ...]:
    """The range of values, both ends included, that each argument of a kernel is drawn from."""
    ranges = [plain_range(dtype) for dtype in code.dtypes]
    bounds = Bounds(code, ranges)
    proven: list[_Condition] = []
    indices: set[int] = set()
    for condition in _conditions(code):
        # Indices that have no range of their own yet are to reach all of what they index, as a
        # user's do, and not only as far as an ordinary argument.
        fresh = bool(condition.extents) and not indices.issuperset(condition.arguments)
        indices.update(condition.arguments if condition.extents else ())
        if fresh or not condition.holds(bounds.of(condition.expression)):
            found = _first_that_holds([condition, *proven], code, ranges)
            if found is None and condition.extents:  # whatever else: element 0 is always there
                ranges = _with(ranges, condition.arguments, _always(Interval(0, 0)))
            if found is None:
                bounds = Bounds(code, ranges)
                continue
            ranges, bounds = found, Bounds(code, found)
        proven.append(condition)
    return tuple(ranges)


def _first_that_holds(
    conditions: Sequence[_Condition], code: KernelCode, ranges: list[Interval]
) -> list[Interval] | None:
    """The first ranges for the first condition's arguments by which all conditions hold."""
    for chosen in _choices(conditions[0], code, ranges):
        bounds = Bounds(code, chosen)
        if all(one.holds(bounds.of(one.expression)) for one in conditions):
            return chosen
    return None


def plain_range(dtype: str) -> Interval:
    """The range for an argument that nothing is asked of."""
    if dtype == "bool":
        return TRUTH
    return PLAIN_WHOLE if "int" in dtype else PLAIN


def is_index(span: Interval) -> bool:
    """Whether the range of a floating-point argument is that of an index."""
    return span.low == 0


def _conditions(code: KernelCode) -> Iterator[_Condition]:
    """Of indices first: they are what a kernel crashes by."""
    for buffer, indices in code.accesses:
        shape = buffer.shape
        for index, extent in zip(indices, shape, strict=False):
            arguments = _arguments_of(index, code, _may_index)
            if arguments and all(kind(one) == "IntImm" for one in shape):
                extents = tuple(int(one.value) for one in shape)
                yield _Condition(index, _within(int(extent.value)), arguments, extents)
    for operation in code.operations:
        expression, holds = _asked_of(operation)
        if expression is not None and (arguments := _arguments_of(expression, code, _any)):
            yield _Condition(expression, holds, arguments)


def _within(extent: int) -> Holds:
    return lambda found: found.within(0, extent - 1)


def _asked_of(operation: Any) -> tuple[Any, Holds]:
    """The operand of an operation that has to lie within a domain, and that domain."""
    if kind(operation) != "Call":
        return operation.b, _no_zero
    name = operator(operation)
    if name in _DOMAINS:
        return operation.args[0], _DOMAINS[name]
    if name in ("pow", "power"):
        base, exponent = operation.args
        if kind(exponent) != "FloatImm" or not float(exponent.value).is_integer():
            return base, _above_zero
        return (base, _no_zero) if exponent.value < 0 else (None, _no_zero)
    if name in ("fmod", "truncmod", "truncdiv"):
        return operation.args[1], _no_zero
    return None, _no_zero


def _choices(
    condition: _Condition, code: KernelCode, ranges: list[Interval]
) -> Iterator[list[Interval]]:
    """The ranges with others for the condition's arguments, the most ordinary first."""
    if not condition.extents:
        for wanted in (_POSITIVE, _FRACTION, _ABOVE_ONE):
            yield _with(ranges, condition.arguments, _for_each_dtype(code, wanted))
        return
    # An index may be spread over the axes of what it indexes, or several may be added up.
    limits = sorted(set(condition.extents), reverse=True)
    limits += [limits[-1] >> shift for shift in range(1, limits[-1].bit_length())]
    for limit in limits:
        yield _with(ranges, condition.arguments, _always(Interval(0, limit - 1)))


def _always(wanted: Interval) -> Callable[[int], Interval]:
    return lambda _: wanted


def _for_each_dtype(code: KernelCode, wanted: Interval) -> Callable[[int], Interval]:
    return lambda position: _NOT_ZERO if "int" in code.dtypes[position] else wanted


def _with(
    ranges: list[Interval], positions: Iterable[int], wanted: Callable[[int], Interval]
) -> list[Interval]:
    changed = list(ranges)
    for position in positions:
        changed[position] = wanted(position)
    return changed


def _any(_: str, __: Any) -> bool:
    return True


def _may_index(dtype: str, index: Any) -> bool:
    """A floating-point argument is an index where it is only cast to be one."""
    return "int" in dtype or (kind(index) == "Cast" and kind(index.value) == "TensorLoad")


def _arguments_of(
    expression: Any, code: KernelCode, counts: Callable[[str, Any], bool]
) -> tuple[int, ...]:
    """Positions of the arguments that an expression's value comes from."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        for load in values_in(current, code.bindings):
            buffer = identity(load.source)
            position = code.arguments.get(buffer)
            if position is not None and buffer not in code.stores:
                if counts(code.dtypes[position], current):
                    found.add(position)
            elif buffer not in seen:
                seen.add(buffer)
                waiting += [store.value for store in code.stores.get(buffer, ())]
    return tuple(sorted(found))
