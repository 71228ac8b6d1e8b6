"""PyTorch as a variant to compare with: the model as torchvision has it, eager or compiled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rivulet.hardware.cpu import spread_cpus
from rivulet.models.export import build_torchvision

EAGER, COMPILED = "torch", "torch-compile"
_TASKS = Path("/proc/self/task")


class TorchModel:
    """A torchvision model in PyTorch.

    Args:
        definition: The model's entry in the config: name, shape, weights and seed.
        threads: Threads of its pool, the calling one included.
        compiled: By `torch.compile`, with its defaults, instead of eager.
    """

    def __init__(self, definition: Mapping[str, Any], threads: int, compiled: bool) -> None:
        import torch

        torch.set_num_threads(threads)
        self._torch, self._threads = torch, threads
        self._others = _threads()
        self._model = build_torchvision(
            definition["torchvision"], list(definition["shape"]), definition["weights"],
            definition["seed"],
        )  # fmt: skip
        if compiled:
            self._model = torch.compile(self._model)
        self._pinned = False
        self._output: Any = None

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        self._inputs = [self._torch.from_numpy(array) for array in inputs]

    def run(self) -> None:
        """One inference."""
        with self._torch.inference_mode():
            self._output = self._model(*self._inputs)
        if not self._pinned:
            self._pin()

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        return [self._output.numpy()]

    def _pin(self) -> None:
        """Pin the pool's other threads, one to a core, like those of the other runtimes.

        They exist from the first run on. Left to the system beside pools that are pinned, two of
        them may share a core for longer than a sample.
        """
        self._pinned = True
        cpus = spread_cpus(self._threads)[1:]
        fresh = sorted(_threads() - self._others)
        if not cpus:
            return
        for number, thread in enumerate(fresh):
            with contextlib.suppress(ProcessLookupError):  # one that was needed for a moment only
                os.sched_setaffinity(thread, {cpus[number % len(cpus)]})


def _threads() -> set[int]:
    return {int(path.name) for path in _TASKS.iterdir()}
