"""Find the operator of an ONNX graph at which preparation fails."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rivulet.models.onnx_files import names_read, save_onnx, without_weights
from rivulet.verify.cutting import cut, untyped

_MOST_SECONDS = 60.0  # for a large graph, each try of which takes many


def failing_node(
    path: Path, target: Any, prepare: Callable[[Path, Any], Any], folder: Path
) -> str | None:
    """The first operator with which a model cannot be prepared.

    The graph's first nodes alone are prepared, fewer or more of them by halves.

    Args:
        path: ONNX file that fails.
        target: TVM target.
        prepare: Prepares an ONNX file for a target.
        folder: Where files are written for the moment.

    Returns:
        The operator and the node's name, as ``Split 'node_12'``; None where no part of the graph
        tells, or not in time.
    """
    import onnx

    model = onnx.load(str(path))
    types = _types(model)
    end = time.monotonic() + _MOST_SECONDS
    good, bad = 0, len(model.graph.node)
    if not bad:
        return None
    while bad - good > 1:
        if time.monotonic() > end:
            return None
        middle = (good + bad) // 2
        outputs = [types.get(name) or untyped(name) for name in _frontier(model.graph, middle)]
        if _fails(cut(model, outputs), target, prepare, folder):
            bad = middle
        else:
            good = middle
    node = model.graph.node[bad - 1]
    return f"{node.op_type} '{node.name or next(name for name in node.output if name)}'"


def _fails(part: Any, target: Any, prepare: Callable[[Path, Any], Any], folder: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "part.onnx"
        save_onnx(part, path)
        try:
            prepare(path, target)
        except Exception:  # of whatever kind: the whole model's is the one that is told
            return True
    return False


def _frontier(graph: Any, count: int) -> list[str]:
    """What the first nodes compute and others, or the user, read."""
    made = [name for node in graph.node[:count] for name in node.output if name]
    read = {name for node in graph.node[count:] for name in names_read(node)}
    read.update(value.name for value in graph.output)
    return [name for name in made if name in read]


def _types(model: Any) -> dict[str, Any]:
    import onnx

    graph = onnx.shape_inference.infer_shapes(without_weights(model)).graph
    return {value.name: value for value in (*graph.value_info, *graph.output)}
