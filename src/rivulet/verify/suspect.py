"""Find the operator of an ONNX graph whose result TVM is the first to compute wrongly.

Intermediate values are made outputs of a copy of the graph, some at a time, and compared. A right
value clears all that it was computed from, a wrong one all that does not lead to it; what is left
between them is halved and halved again, several cuts at a time, because compiling a copy costs
more than looking at one more value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.graph.prepare import PreparedModel
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.onnx_files import names_read, save_onnx
from rivulet.verify.reference import reference_outputs
from rivulet.verify.running import prepared_outputs

_CUTS = 8
# They give back what they are given, so that no fault can be theirs.
_INNOCENT = ("Constant", "Identity")


@dataclass(frozen=True)
class Suspect:
    """An operator whose result is wrong although its inputs are right.

    Attributes:
        node: The node's name; that of its result where it has none.
        operator: Its ONNX operator.
        error: Relative error of its result.
    """

    node: str
    operator: str
    error: float


@dataclass(frozen=True)
class Cutter:
    """Compares intermediate values of one model.

    Attributes:
        model: ``onnx.ModelProto`` with its weights.
        inputs: The model's inputs, in their order.
        target: TVM target of this machine's CPU.
        threads: Threads to run on.
        tolerance: Largest relative error of a value that counts as right.
        prepare: Prepares an ONNX file for a target.
        folder: Where files are written for the moment.
    """

    model: Any
    inputs: Sequence[np.ndarray]
    target: Any
    threads: int
    tolerance: float
    prepare: Callable[[Path, Any], PreparedModel]
    folder: Path

    def errors(self, names: Sequence[str]) -> dict[str, float]:
        """Relative error of each of some values of the graph."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "cut.onnx"
            copy, inputs = self._cut(names)
            save_onnx(copy, path)
            right = reference_outputs(path, inputs, self.threads)
            # The importer wants to know the types of outputs; now they are known.
            del copy.graph.output[:]
            copy.graph.output.extend(map(_declared, names, right))
            save_onnx(copy, path)
            del copy
            model = self.prepare(path, self.target)
            found = prepared_outputs(model, inputs, self.target, Path(folder))
        pairs = zip(names, found, right, strict=True)
        return {name: largest_relative_error([ours], [theirs]) for name, ours, theirs in pairs}

    def _cut(self, names: Sequence[str]) -> tuple[Any, list[np.ndarray]]:
        """A copy with these outputs and what they need, and the inputs that are left."""
        import onnx

        needed = set(_ancestors(self.model.graph, names))
        graph = self.model.graph
        nodes = [node for place, node in enumerate(graph.node) if place in needed]
        read = {name for node in nodes for name in names_read(node)}
        copy = onnx.ModelProto(
            ir_version=self.model.ir_version,
            opset_import=self.model.opset_import,
            functions=self.model.functions,
        )
        copy.graph.name = graph.name
        copy.graph.node.extend(nodes)
        copy.graph.initializer.extend(one for one in graph.initializer if one.name in read)
        weights = {tensor.name for tensor in graph.initializer}
        taken = [value for value in graph.input if value.name not in weights]
        kept = [
            (value, given)
            for value, given in zip(taken, self.inputs, strict=True)
            if value.name in read
        ]
        copy.graph.input.extend(value for value, _ in kept)
        copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        return copy, [given for _, given in kept]


def find_suspect(cutter: Cutter, output: str) -> Suspect | None:
    """The operator that a wrong output comes from.

    Args:
        cutter: Compares values of the model.
        output: Name of an output that is wrong.

    Returns:
        The first operator in the graph whose result is wrong; None where the output is right once
        its intermediate values are outputs too, so that it takes several operators to go wrong.
    """
    graph = cutter.model.graph
    made_by = {name: place for place, node in enumerate(graph.node) for name in node.output}
    wrong, error = output, 0.0
    open_places = _ancestors(graph, [output])
    cleared: set[int] = set()
    while True:
        # All but the wrong value's own node, in the order of the graph.
        candidates = [
            place
            for place in open_places
            if place not in cleared
            and place != made_by[wrong]
            and graph.node[place].op_type not in _INNOCENT
        ]
        if not candidates and error:
            node = graph.node[made_by[wrong]]
            return Suspect(node.name or wrong, node.op_type, error)
        names = [_result(graph.node[place]) for place in _spread(candidates, _CUTS)]
        errors = cutter.errors([*names, wrong])
        error = errors[wrong]
        if error <= cutter.tolerance:
            return None
        cleared |= {
            place
            for name in names
            if errors[name] <= cutter.tolerance
            for place in _ancestors(graph, [name])
        }
        first = next((name for name in names if errors[name] > cutter.tolerance), None)
        if first is not None:
            wrong, error = first, errors[first]
            open_places = _ancestors(graph, [wrong])


def _declared(name: str, value: np.ndarray) -> Any:
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, value.shape)


def _result(node: Any) -> str:
    return str(next(name for name in node.output if name))


def _ancestors(graph: Any, names: Iterable[str]) -> list[int]:
    """Positions of the nodes that some values are computed by, in the order of the graph."""
    wanted, found = set(names), []
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if wanted.intersection(name for name in node.output if name):
            found.append(place)
            wanted.update(names_read(node))
    return found[::-1]


def _spread(places: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of them, evenly spread, the last one not among them unless all are."""
    if len(places) <= count:
        return list(places)
    return [places[(k + 1) * len(places) // (count + 1)] for k in range(count)]
