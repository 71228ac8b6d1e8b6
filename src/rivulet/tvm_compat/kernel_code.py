"""What a kernel's code stores and reads, taken out of TVM's tree once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rivulet.tvm_compat.intervals import ANYTHING, Interval

_REDUCTION = 2  # TVM's number for an axis over which a block accumulates
_NO_CHILDREN = ("span", "ty", "op", "attrs", "ty_args", "reads", "writes", "annotations")


@dataclass(frozen=True)
class Store:
    """One place where a kernel stores.

    Attributes:
        value: The expression that is stored.
        times: How many values one element takes in: the extents of the block's reduction axes.
    """

    value: Any
    times: int


@dataclass
class KernelCode:
    """A kernel's code as a list of facts. Buffers and variables go by `identity`.

    Attributes:
        arguments: Position of each argument's buffer.
        dtypes: Data type of each argument.
        bounds: Interval of each loop variable and block axis.
        bindings: Value of each variable that is bound to one.
        stores: What is stored to each buffer.
        accesses: Buffer and indices of each access.
        operations: Calls and divisions.
    """

    arguments: dict[int, int] = field(default_factory=dict)
    dtypes: list[str] = field(default_factory=list)
    bounds: dict[int, Interval] = field(default_factory=dict)
    bindings: dict[int, Any] = field(default_factory=dict)
    stores: dict[int, list[Store]] = field(default_factory=dict)
    accesses: list[tuple[Any, list[Any]]] = field(default_factory=list)
    operations: list[Any] = field(default_factory=list)

    @property
    def written(self) -> tuple[int, ...]:
        """Positions of the arguments that the kernel stores to."""
        return tuple(sorted(p for buffer, p in self.arguments.items() if buffer in self.stores))


def identity(node: Any) -> int:
    """What tells a buffer or variable from others as long as the kernel's module lives."""
    return hash(node)


def kind(node: Any) -> str:
    """Name of a node's class, such as ``Add``."""
    return type(node).__name__


def read_code(function: Any) -> KernelCode:
    """Read a kernel.

    Args:
        function: Its ``PrimFunc``, scheduled or not.
    """
    code = KernelCode()
    for position, buffer in enumerate(function.params):
        code.arguments[identity(buffer)] = position
        code.dtypes.append(str(getattr(buffer.ty, "dtype", "handle")))
    waiting = [(function.body, 1)]
    while waiting:  # not by recursion: expressions may be nested deeply
        node, times = waiting.pop()
        times = _note(node, code, times)
        waiting += [(child, times) for child in reversed(list(children(node)))]
    return code


def _note(node: Any, code: KernelCode, times: int) -> int:
    """Note what a node is; returns how many values an element takes in within it."""
    name = kind(node)
    if name == "SBlock":
        times = math.prod(_length(v) for v in node.iter_vars if int(v.iter_type) == _REDUCTION)
        for axis in node.iter_vars:
            code.bounds[identity(axis.var)] = _span(axis.dom.min, axis.dom.extent)
    elif name == "For":
        code.bounds[identity(node.loop_var)] = _span(node.min, node.extent)
    elif name == "Bind":
        code.bindings[identity(node.var)] = node.value
    elif name == "BufferStore":
        code.stores.setdefault(identity(node.buffer), []).append(Store(node.value, times))
        code.accesses.append((node.buffer, list(node.indices)))
    elif name == "TensorLoad":
        code.accesses.append((node.source, list(node.indices)))
    elif name in ("Call", "Div", "Mod", "FloorDiv", "FloorMod"):
        code.operations.append(node)
    return times


def children(node: Any) -> Iterator[Any]:
    """The statements and expressions that a node is made of."""
    for name in _FIELDS.of(type(node)):
        value = getattr(node, name, None)
        if value is None or isinstance(value, (str, int, float)):
            continue
        if hasattr(type(value), "__tvm_ffi_type_info__") and not _is_container(value):
            yield value
        elif not isinstance(value, Mapping) and hasattr(value, "__iter__"):
            yield from value


def _is_container(value: Any) -> bool:
    return kind(value) in ("Array", "List", "Map", "Dict")


class _Fields:
    """Names of the fields of TVM's classes, looked up once per class."""

    def __init__(self) -> None:
        self._known: dict[type, tuple[str, ...]] = {}

    def of(self, kind_of_node: type) -> tuple[str, ...]:
        if kind_of_node not in self._known:
            info = getattr(kind_of_node, "__tvm_ffi_type_info__", None)
            names = [f.name for f in info.fields] if info is not None else []
            self._known[kind_of_node] = tuple(n for n in names if n not in _NO_CHILDREN)
        return self._known[kind_of_node]


_FIELDS = _Fields()


def _length(axis: Any) -> int:
    extent = axis.dom.extent
    return int(extent.value) if kind(extent) == "IntImm" else 1


def _span(begin: Any, extent: Any) -> Interval:
    if kind(begin) == kind(extent) == "IntImm":
        return Interval(int(begin.value), int(begin.value) + int(extent.value) - 1)
    return ANYTHING
