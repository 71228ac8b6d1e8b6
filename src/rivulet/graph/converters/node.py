"""One ONNX node as a converter sees it, and the table that converters enter themselves in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Converter = Callable[["Node"], Any]

# Converters by the operator's name; the modules of this package fill it as they are imported.
TABLE: dict[str, Converter] = {}


class RefusedError(Exception):
    """A node that cannot be compiled; the message says in a few words what about it."""


def converts(*operators: str) -> Callable[[Converter], Converter]:
    """Enter a function in `TABLE` as the converter of these operators."""

    def enter(function: Converter) -> Converter:
        TABLE.update(dict.fromkeys(operators, function))
        return function

    return enter


@dataclass(frozen=True)
class Node:
    """A node of the graph, with its inputs as Relax expressions.

    Attributes:
        operator: Its ONNX operator.
        name: The node's name.
        opset: Version of the default operator set.
        inputs: Relax expressions; None for an optional one that is left out.
        attributes: ONNX attributes as the importer parsed them (text is bytes).
        builder: ``relax.BlockBuilder`` that the function is written with.
        weights: The model's weights: variable and value by the variable's name.
        outputs: Number of outputs that the node names.
    """

    operator: str
    name: str
    opset: int
    inputs: Sequence[Any]
    attributes: dict[str, Any]
    builder: Any
    weights: dict[str, tuple[Any, Any]]
    outputs: int = 1

    def has(self, place: int) -> bool:
        """Whether an optional input is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def tensor(self, place: int = 0) -> Any:
        """An input as an expression whose type is a tensor."""
        if not self.has(place):
            raise RefusedError(f"input {place} is missing")
        given = self.inputs[place]
        value = _static_value(given)
        return given if value is None else constant(value)

    def value(self, place: int) -> np.ndarray | None:
        """An input's value where it is known at compile time, else None."""
        if not self.has(place):
            return None
        given = self.inputs[place]
        known: Any = getattr(given, "value", None)
        if hasattr(known, "numpy"):
            return np.asarray(known.numpy())
        name = getattr(given, "name_hint", None) or getattr(given, "name", None)
        if name in self.weights:
            return np.asarray(self.weights[name][1].numpy())
        return _static_value(given)

    def known(self, place: int, meaning: str) -> np.ndarray:
        """The value of an input that has to be known at compile time.

        Raises:
            RefusedError: It depends on the model's input.
        """
        value = self.value(place)
        if value is None:
            raise RefusedError(f"its {meaning} must be constant")
        return value

    def integers(self, place: int, name: str) -> list[int] | None:
        """Integers that are an attribute in older operator sets and an input in newer ones."""
        if self.has(place):
            return [int(entry) for entry in self.known(place, name).ravel()]
        given = self.attributes.get(name)
        return None if given is None else [int(entry) for entry in np.atleast_1d(given)]

    def text(self, name: str, default: str) -> str:
        """An attribute that is text."""
        given = self.attributes.get(name, default)
        return given.decode() if isinstance(given, bytes) else str(given)

    def shape(self, place: int = 0) -> tuple[int, ...]:
        """Shape of an input."""
        return shape_of(self.tensor(place))

    def dtype(self, place: int = 0) -> str:
        """Element type of an input, such as ``float32``."""
        return dtype_of(self.tensor(place))

    def scalar(self, value: Any, place: int = 0) -> Any:
        """A constant of an input's element type, for arithmetic with it."""
        return constant(value, self.dtype(place))

    def emit(self, expression: Any) -> Any:
        """Bind an expression to a variable, whose type is then known."""
        return self.builder.emit(expression)


def constant(value: Any, dtype: str | None = None) -> Any:
    """A Relax constant."""
    from tvm import relax

    array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype)
    return relax.const(array, str(array.dtype))


def shape_of(expression: Any) -> tuple[int, ...]:
    """Shape of an expression whose type is known and static.

    Raises:
        RefusedError: It is not known at compile time.
    """
    shape = getattr(expression.ty, "shape", None)
    try:
        return tuple(int(extent) for extent in shape)  # type: ignore[union-attr]
    except TypeError:
        raise RefusedError("the shape of its input depends on values known only at run time") from (
            None
        )


def dtype_of(expression: Any) -> str:
    """Element type of an expression whose type is known."""
    dtype = expression.ty.dtype
    return str(getattr(dtype, "dtype", dtype))


def _static_value(expression: Any) -> np.ndarray | None:
    """Value of what the importer keeps as a shape or as a scalar of the compiler."""
    from tvm import relax, tirx

    if isinstance(expression, tirx.IntImm | tirx.FloatImm):
        return np.asarray(expression.value, dtype=str(expression.dtype))
    if isinstance(expression, relax.ShapeExpr):
        if all(isinstance(extent, tirx.IntImm) for extent in expression.values):
            return np.array([int(extent) for extent in expression.values], dtype="int64")
        raise RefusedError("a shape that it reads depends on values known only at run time")
    return None
