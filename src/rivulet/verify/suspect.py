"""Find the operator of an ONNX graph whose result TVM is the first to compute wrongly.

Intermediate values are made outputs of a copy of the graph, some at a time, and compared. A right
value clears all that it was computed from, a wrong one all that does not lead to it; what is left
between them is halved and halved again, several cuts at a time, because compiling a copy costs
more than looking at one more value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.graph.prepare import PreparedModel
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.onnx_files import save_onnx
from rivulet.models.trial_run import open_onnx, run_onnx
from rivulet.verify.cutting import ancestors, cut, input_names, typed, untyped
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
        part = cut(self.model, [untyped(name) for name in names])
        given = dict(zip(input_names(self.model.graph), self.inputs, strict=True))
        inputs = [given[name] for name in input_names(part.graph)]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "part.onnx"
            save_onnx(part, path)
            right = run_onnx(open_onnx(path, self.threads), inputs)
            # Now their types are known, and steps of the preparation may ask for them.
            del part.graph.output[:]
            part.graph.output.extend(map(typed, names, right))
            save_onnx(part, path)
            del part
            model = self.prepare(path, self.target)
            (found,) = prepared_outputs(model, [inputs], self.target, Path(folder))
        pairs = zip(names, found, right, strict=True)
        return {name: largest_relative_error([ours], [theirs]) for name, ours, theirs in pairs}


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
    open_places = ancestors(graph, [output])
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
            for place in ancestors(graph, [name])
        }
        first = next((name for name in names if errors[name] > cutter.tolerance), None)
        if first is not None:
            wrong, error = first, errors[first]
            open_places = ancestors(graph, [wrong])


def _result(node: Any) -> str:
    return str(next(name for name in node.output if name))


def _spread(places: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of them, evenly spread."""
    if len(places) <= count:
        return list(places)
    return [places[(k + 1) * len(places) // (count + 1)] for k in range(count)]
