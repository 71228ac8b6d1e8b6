"""The kernel record that all stages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kernel:
    """One kernel of a model.

    Attributes:
        task: TVM's task name; unique within the model.
        kind: Kernel class, see `rivulet.kernels.classes.kernel_class`.
        shapes: Argument shapes, output last.
        dtype: Data type of the output.
        flops: Floating-point operations of one run.
        weight: How often the model runs it per inference.
        workload: Structural hash, equal for equal computations in whatever model.
        module: The unscheduled ``IRModule``, one function named ``main``.
    """

    task: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str
    flops: float
    weight: int
    workload: str
    module: Any


def covered_flops(kernels: list[Kernel], covered: set[str]) -> float:
    """Share of the model's FLOPs, weights counted, in the kernels whose tasks are covered."""
    total = sum(k.flops * k.weight for k in kernels)
    part = sum(k.flops * k.weight for k in kernels if k.task in covered)
    return part / total if total else 0.0
