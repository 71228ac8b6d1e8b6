"""PyTorch as a variant to compare with: the module that was exported, eager or compiled."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rivulet.hardware.cpu import spread_cpus

_TASKS = Path("/proc/self/task")
# What torch.compile is asked for: weights are constants, so that it may lay them out anew and fold
# what depends on them alone, as all that it is compared with does; and what calls its kernels is
# C++. Not `max_autotune`: on CPUs it takes minutes in each process and chooses what there is
# without it.
INDUCTOR: dict[str, Any] = {"freezing": True, "cpp_wrapper": True}


class TorchModel:
    """A model in PyTorch.

    Args:
        build: Makes the module, in evaluation mode, which takes the model's inputs and returns a
            tensor or several.
        threads: Threads of its pool, the calling one included.
        compiled: By `torch.compile`, set up for the latency of inference, instead of eager.

    Raises:
        ValueError: `torch.compile` has no C++ compiler.
    """

    def __init__(self, build: Callable[[], Any], threads: int, compiled: bool) -> None:
        if compiled:
            _require_compiler()
        import torch

        torch.set_num_threads(threads)
        self._torch, self._threads, self._compiled = torch, threads, compiled
        self._others = _threads()
        self._model = build()
        if compiled:
            self._model = torch.compile(self._model)
        self._pinned = False
        self._output: Any = None

    @property
    def configuration(self) -> dict[str, str]:
        """How it runs, by the names of its options."""
        found = {"num_threads": str(self._torch.get_num_threads())}
        if self._compiled:
            found |= {"backend": "inductor", **{k: str(v) for k, v in INDUCTOR.items()}}
        return found

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        self._inputs = [self._torch.from_numpy(array) for array in inputs]

    def run(self) -> None:
        """One inference."""
        if self._pinned:
            with self._torch.no_grad():
                self._output = self._model(*self._inputs)
            return
        with self._torch.no_grad(), self._settings():
            self._output = self._model(*self._inputs)
        self._pin()

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        several = isinstance(self._output, Sequence)
        return [one.numpy() for one in (self._output if several else [self._output])]

    def _settings(self) -> contextlib.AbstractContextManager[Any]:
        """What the compiler is told; it compiles at the first run."""
        if not self._compiled:
            return contextlib.nullcontext()
        import torch._inductor.config as inductor

        patched: contextlib.AbstractContextManager[Any] = inductor.patch(**INDUCTOR)
        return patched

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


def _require_compiler() -> None:
    """Say in one line what torch's compiler would say in a hundred.

    Raises:
        ValueError: There is none.
    """
    chosen = os.environ.get("CXX", "g++")
    if shutil.which(chosen) is None:
        raise ValueError(
            f"torch.compile needs a C++ compiler, and there is no '{chosen}'; install it with "
            "'apt install g++', or leave torch-compile out of benchmark.baselines"
        )


def _threads() -> set[int]:
    return {int(path.name) for path in _TASKS.iterdir()}
