"""What is left in a contestant's graph that should not run at inference."""

from __future__ import annotations

import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_INSPECTION = "rivulet.graph.inspect"


@dataclass(frozen=True)
class GraphFacts:
    """Names of kernels by what is wrong with them.

    Attributes:
        transposes_inside: Layout transposes between kernels.
        weight_only: Kernels whose result depends on weights alone.
    """

    transposes_inside: list[str]
    weight_only: list[str]


def graph_facts(onnx: Path, device: str) -> GraphFacts | None:
    """Look at a model as the workflow prepares it; None where nothing here can look at graphs.

    In a process of its own: what TVM has allocated stays with whoever has loaded it.

    Args:
        onnx: The exported model.
        device: The device that it is prepared for, as JSON.
    """
    if importlib.util.find_spec(_INSPECTION) is None:
        return None
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        transposes, weight_only = pool.submit(_looked, onnx, device).result()
    return GraphFacts(transposes, weight_only)


def _looked(onnx: Path, device: str) -> tuple[list[str], list[str]]:
    from rivulet.graph.inspect import inspect_module
    from rivulet.graph.prepare import prepare_model
    from rivulet.hardware.fingerprint import Device
    from rivulet.hardware.target import resolve_target

    found = inspect_module(prepare_model(onnx, resolve_target(Device.from_json(device))).module)
    return [str(one) for one in found.transposes_inside], [str(one) for one in found.weight_only]
