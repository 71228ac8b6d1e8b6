"""Put the own converters in the place of TVM's, and learn which node an error is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from rivulet.graph.converters.node import TABLE, Converter, Node, RefusedError
from rivulet.graph.errors import in_few_words

_ROOMS = (
    "activations",
    "arithmetic",
    "clipping",
    "einsum",
    "folding",
    "indexing",
    "known",
    "normalization",
    "padding",
    "pooling",
    "reductions",
    "resizing",
    "selection",
    "shapes",
    "transposed_convolution",
)


class ConversionError(Exception):
    """A node that could not be converted.

    Attributes:
        node: Its name.
        operator: Its ONNX operator.
        reason: What is wrong, in a few words.
    """

    def __init__(self, node: str, operator: str, reason: str) -> None:
        super().__init__(f"node '{node}' ({operator}): {reason}")
        self.node = node
        self.operator = operator
        self.reason = reason


@contextmanager
def own_converters() -> Iterator[frozenset[str]]:
    """While active, TVM's importer takes the converters of `TABLE` in place of its own.

    Every error of a converter, own or TVM's, comes out as a `ConversionError`.

    Yields:
        Names of all operators that there is a converter for.
    """
    from tvm.relax.frontend.onnx import onnx_frontend

    for room in _ROOMS:
        import_module(f"rivulet.graph.converters.{room}")
    original = onnx_frontend._get_convert_map
    theirs = original()
    table: dict[str, Any] = {name: _Named(name, converter) for name, converter in theirs.items()}
    table.update({name: _Own(name, own, theirs.get(name)) for name, own in TABLE.items()})
    onnx_frontend._get_convert_map = lambda: table
    try:
        yield frozenset(table)
    finally:
        onnx_frontend._get_convert_map = original


class _Named:
    """TVM's converter of an operator, whose errors name the node."""

    def __init__(self, operator: str, converter: Any) -> None:
        self._operator = operator
        self._converter = converter

    def get_converter(self, opset: int) -> Callable[..., Any]:
        """As the importer asks for it."""
        function = self._converter.get_converter(opset)

        def convert(builder: Any, inputs: Any, attributes: Any, params: Any) -> Any:
            with _naming(attributes["tvm_custom"]["name"], self._operator):
                return function(builder, inputs, attributes, params)

        return convert


class _Own:
    """An own converter, in the form that the importer calls.

    One that returns ``NotImplemented`` leaves the node to TVM's.
    """

    def __init__(self, operator: str, function: Converter, theirs: Any) -> None:
        self._operator = operator
        self._function = function
        self._theirs = theirs

    def get_converter(self, opset: int) -> Callable[..., Any]:
        """As the importer asks for it."""

        def convert(builder: Any, inputs: Any, attributes: Any, params: Any) -> Any:
            about = attributes["tvm_custom"]
            given = {name: value for name, value in attributes.items() if name != "tvm_custom"}
            with _naming(about["name"], self._operator):
                node = Node(
                    operator=self._operator,
                    name=about["name"],
                    opset=opset,
                    inputs=list(inputs),
                    attributes=given,
                    builder=builder,
                    weights=params[1],
                    outputs=about["num_outputs"],
                )
                result = self._function(node)
                if result is NotImplemented:
                    their = self._theirs.get_converter(opset)
                    return their(builder, inputs, attributes, params)
                return _as_outputs(builder, result)

        return convert


def _as_outputs(builder: Any, result: Any) -> Any:
    from tvm import relax

    if isinstance(result, list):
        emitted = [builder.emit(entry) for entry in result]
        return emitted[0] if len(emitted) == 1 else relax.Tuple(emitted)
    return builder.normalize(result)


@contextmanager
def _naming(node: str, operator: str) -> Iterator[None]:
    try:
        yield
    except ConversionError:
        raise
    except RefusedError as error:
        raise ConversionError(node, operator, str(error)) from error
    except Exception as error:
        raise ConversionError(node, operator, f"TVM: {in_few_words(error)}") from error
