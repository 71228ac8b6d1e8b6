"""A compiled model beside its kernels, each timed alone as the bench times candidates.

The two are compared by turns in one process. What the bench told while it searched was told at
another minute, in which the machine may have been faster or slower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.compile import CompiledModel
from rivulet.hardware.place import Place
from rivulet.measure.timing import Tensors, Timer
from rivulet.tvm_compat.arguments import argument_bytes

_WHOLE_SECONDS = 0.03  # of a round; each kernel has the bench's shortest sample


class _Named:
    """One kernel of a model's library, as the bench's timers take a library."""

    def __init__(self, library: Any, kernel: str) -> None:
        # TVM's timer finds a function only where it is, and not through what imports that.
        self._kernel = kernel
        self._library = next(one for one in library.imports if one.implements_function(kernel))

    def __getitem__(self, _: str) -> Any:
        return self._library[self._kernel]

    def time_evaluator(self, _: str, *args: Any, **options: Any) -> Any:
        return self._library.time_evaluator(self._kernel, *args, **options)


def model_and_kernels(
    path: Path,
    params: list[Any],
    inputs: Sequence[np.ndarray],
    measure: Mapping[str, Any],
    *,
    place: Place,
    rounds: int,
) -> list[tuple[float, float]]:
    """Latency of a model, and the sum over its kernels of runs times latency alone.

    Args:
        path: Library that `compile_model` wrote.
        params: The prepared model's weights.
        inputs: Inputs of the model, in their order.
        measure: The config's ``measure`` settings: how the bench times.
        place: This machine's CPU.
        rounds: How often each of the two is timed, by turns.

    Returns:
        For each round the two, in milliseconds.
    """
    model = CompiledModel(path, params, place)
    model.bind(list(inputs))
    calls = model.kernel_calls()
    weights = sum(
        argument_bytes(call.args[i]) for found in calls.values() for call in found
        for i in call.weights
    )  # fmt: skip
    tensors = Tensors(place, weights)
    library = place.load(path)
    timers = [
        (len(found), tensors.timer(_Named(library, name), found[0], dict(measure)))
        for name, found in calls.items()
    ]
    model.run()
    count = max(1, math.ceil(_WHOLE_SECONDS / model.timed(1)))
    return [one_round(model, count, timers) for _ in range(rounds)]


def one_round(
    model: CompiledModel, count: int, timers: Sequence[tuple[int, Timer]]
) -> tuple[float, float]:
    """Milliseconds of a model, and of all runs of its kernels.

    Args:
        model: The model, inputs bound.
        count: Inferences of its sample.
        timers: How often the model runs each kernel, and what times that.
    """
    model.run()  # what the kernels have left in the caches is not the model's
    whole = model.timed(count)
    alone = sum(runs * timer.samples(1)[0] for runs, timer in timers)
    return whole * 1e3, alone * 1e3
