"""How exactly a model's operators compute, which decides how far two right outputs may differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rivulet.config.sections import Benchmark

FLOAT32, FLOAT16, QDQ = "float32", "float16", "qdq"
_KEYS = {FLOAT32: "tolerance", FLOAT16: "tolerance_float16", QDQ: "tolerance_qdq"}
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")


def precision_of(model: Any) -> str:
    """The coarsest number format that a graph rounds to on its way.

    Args:
        model: ``onnx.ModelProto``; its weights may be left out.

    Returns:
        `QDQ` where values are quantised to integers, `FLOAT16` where any input, weight or result
        is a float of 16 bits, else `FLOAT32`.
    """
    nodes = [node for graph in _graphs(model) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    if any(n.op_type in _QUANTISED or n.op_type.startswith("QLinear") for n in nodes):
        return QDQ
    return FLOAT16 if _has_halves(model, nodes) else FLOAT32


def tolerance_for(benchmark: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[float, str]:
    """Largest relative error of an output that counts as right, and the key that says so.

    Args:
        benchmark: The section ``benchmark`` of the config.
        facts: What the record of the exported model says.
    """
    key = _KEYS[facts.get("precision", FLOAT32)]
    return float(benchmark[key]), f"benchmark.{key}"


def allowed_error(own: float, told: Mapping[str, Any], facts: Mapping[str, Any]) -> float:
    """Largest relative error by which schedules of a model may change an output.

    What the benchmark lets pass is not thrown away before it gets there.

    Args:
        own: Tolerance of the stage that judges them.
        told: The benchmark's tolerances, as far as they are not the default.
        facts: What the record of the exported model says.
    """
    return max(own, tolerance_for({**Benchmark().model_dump(), **told}, facts)[0])


def _has_halves(model: Any, nodes: list[Any]) -> bool:
    import onnx

    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    for graph in _graphs(model):
        values = (*graph.input, *graph.output, *graph.value_info)
        if any(value.type.tensor_type.elem_type in halves for value in values):
            return True
        if any(tensor.data_type in halves for tensor in graph.initializer):
            return True
    return any(
        (attribute.name == "to" and attribute.i in halves) or attribute.t.data_type in halves
        for node in nodes
        for attribute in node.attribute
    )


def _graphs(model: Any) -> Iterator[Any]:
    todo = [model.graph]
    while todo:
        graph = todo.pop()
        yield graph
        todo += [
            inner
            for node in graph.node
            for attribute in node.attribute
            for inner in (attribute.g, *attribute.graphs)
            if inner.node
        ]
