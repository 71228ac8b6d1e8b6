"""ONNX files of any size: what one file cannot hold lies beside it."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_MOST_BYTES = (1 << 31) - (1 << 24)  # a protobuf message holds 2 GB, the graph included
# A constant of this size says how a node works (a shape, axes, a bound), larger ones are weights.
MOST_ELEMENTS_OF_A_SHAPE = 1024
# The start of an entry `location: FILE`, as protobuf writes it.
_LOCATION = b"\x0a\x08location\x12"


def weights_beside(path: Path) -> Path:
    """Where the weights of an ONNX file lie when they do not fit into it."""
    return path.with_name(f"{path.name}.weights")


def values_beside(path: Path) -> Path:
    """Where the values that the user gave for the inputs of an exported model lie."""
    return path.with_name(f"{path.stem}.inputs.npz")


def files_of(path: Path) -> list[Path]:
    """All files of an exported model that are there: the graph, weights and values beside it."""
    return [path, *(p for p in (weights_beside(path), values_beside(path)) if p.exists())]


def save_onnx(model: Any, path: Path) -> None:
    """Save a model as one file, or as two when its weights need more than 2 GB.

    Args:
        model: ``onnx.ModelProto`` with its weights loaded.
        path: File to write; `weights_beside` is the second one.
    """
    import onnx

    beside = weights_beside(path)
    beside.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= _MOST_BYTES:
        onnx.save(model, str(path))
        return
    onnx.save(
        model, str(path), save_as_external_data=True, all_tensors_to_one_file=True,
        location=beside.name,
    )  # fmt: skip


def external_files(path: Path) -> list[Path]:
    """Files beside an ONNX file that hold its weights, whether they are there or not.

    Nothing of a file that has none, which may be large, is read into memory, and one that is no
    ONNX file has none.
    """
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(_LOCATION) < 0:
            return []
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf's own; whoever adopts the file says what is wrong with it
        return []
    names = {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return [path.parent / name for name in sorted(names)]


def user_files(definition: Mapping[str, Any]) -> list[str]:
    """The user's own files that an export reads: what makes it stale when it changes.

    Files that are missing are left out; the export says so in its own words.

    Args:
        definition: The model's entry in the config.
    """
    if "onnx" not in definition:
        return []
    path, values = Path(definition["onnx"]), definition.get("inputs")
    beside = [str(file) for file in external_files(path) if file.is_file()]
    return [definition["onnx"], *beside, *([values] if isinstance(values, str) else [])]


def _tensors(model: Any) -> Iterator[Any]:
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    yield from _tensors_of_nodes(graph.node)


def names_read(node: Any) -> Iterator[str]:
    """Names that a node reads, those within its own graphs included."""
    yield from filter(None, node.input)  # an empty name stands for what is left out
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from names_read(inner)
            yield from (value.name for value in graph.output)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors_of_graph(graph)


def without_weights(model: Any) -> Any:
    """A copy whose large weights have a shape and no data: inference of shapes needs no more.

    With them it would copy the whole model, and fail beyond the 2 GB of a protobuf message.
    """
    import onnx

    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= MOST_ELEMENTS_OF_A_SHAPE:
            graph.initializer.append(tensor)
        else:
            stub = graph.initializer.add(
                name=tensor.name, dims=tensor.dims, data_type=tensor.data_type
            )
            stub.data_location = onnx.TensorProto.EXTERNAL
            stub.external_data.add(key="location", value="left out")
    return onnx.ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        functions=model.functions,
        graph=graph,
    )
