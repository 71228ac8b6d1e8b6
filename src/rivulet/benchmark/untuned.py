"""What a model without any schedule tells in one run: its output, and how long each kernel takes.

Naive loops take up to thousands of times longer than scheduled ones: run once within the model they
are not run again, neither to compare outputs nor for a time that is known by now.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivulet.benchmark.compile import CompiledModel
from rivulet.graph.prepare import PreparedModel
from rivulet.hardware.place import Place
from rivulet.kernels import Kernel
from rivulet.kernels.extract import function_workloads
from rivulet.models.inputs import input_values
from rivulet.models.trial_run import open_onnx, run_onnx

_MOST_SECONDS = 30.0
_SHORT = 0.5  # seconds; the first run of such a model is slower than others
_RUNS = 3


@dataclass(frozen=True)
class Subject:
    """The model that is checked.

    Attributes:
        model: The prepared model.
        kernels: Its kernels.
        inputs: Each input, as the model's record has it.
        target: TVM target.
        seed: Seed of the inputs.
        significance: p-value below which slower counts as slower.
        tolerance: Largest relative error of an output that counts as right.
        onnx: The exported model, for the right output where the unscheduled model is too slow to
            tell it; None where there is none.
        threads: Threads that it runs on.
        place: Where it runs; this machine's CPU by default.
        linker: Command that links for it; empty for this machine's linker.
    """

    model: PreparedModel
    kernels: list[Kernel]
    inputs: list[dict[str, Any]]
    target: Any
    seed: int
    significance: float
    tolerance: float = 1e-3
    onnx: Path | None = None
    threads: int = 1
    place: Place | None = None
    linker: str = ""

    def loaded(self, library: Path) -> CompiledModel:
        """One of its compiled libraries, with its weights and seeded inputs."""
        model = CompiledModel(library, self.model.params, self.place)
        model.bind(self.arrays())
        return model

    def arrays(self) -> list[Any]:
        """The seeded inputs."""
        return input_values(self.inputs, self.seed)

    def kernels_of_functions(self) -> dict[str, Kernel]:
        """Name of each function of the model that is a kernel to the kernel."""
        known = {kernel.workload: kernel for kernel in self.kernels}
        functions = function_workloads(self.model.module).items()
        return {name: known[workload] for name, workload in functions if workload in known}


@dataclass(frozen=True)
class Untuned:
    """What one run of the model without schedules told.

    Attributes:
        library: The model compiled without schedules.
        outputs: The model's outputs for the subject's inputs.
        seconds: Seconds of one run of each kernel, by its task; those that were timed.
        latency_ms: Of the whole model; at least that where it was cut short.
        cut: Whether it was.
    """

    library: Path
    outputs: Sequence[Any]
    seconds: dict[str, float] = field(default_factory=dict)
    latency_ms: float = 0.0
    cut: bool = False


def look_at_untuned(
    subject: Subject, library: Path, most_seconds: float = _MOST_SECONDS
) -> Untuned:
    """Run the model without schedules once, or some times if that is quick, and time its kernels.

    Args:
        subject: The model.
        library: The model compiled without schedules.
        most_seconds: After so long the rest of the run is left out, and ONNX Runtime tells the
            output. On a device elsewhere, which tells no kernel's time either, a run is finished.
    """
    model = subject.loaded(library)
    if subject.place is not None and not subject.place.location.is_here:
        latency = model.timed(1)
        return Untuned(library, model.outputs(), {}, latency * 1e3)
    least: dict[str, float] = {}
    totals: list[float] = []
    cut = False
    while not totals or (len(totals) < _RUNS and totals[-1] < _SHORT):
        begun = time.perf_counter()
        calls = model.call_times(most_seconds)
        # By the clock that cuts a run short; the kernels' times alone are a little less.
        cut = cut or time.perf_counter() - begun > most_seconds
        totals.append(1e-6 * sum(map(sum, calls.values())))
        for name, times in calls.items():
            # Of several calls of one function each may be hindered.
            least[name] = min(least.get(name, times[0]), *times)
    outputs: Sequence[Any] = model.outputs()
    if subject.onnx is not None and cut:
        outputs = _right_outputs(subject.onnx, subject)
    return Untuned(library, outputs, _by_task(least, subject), min(totals) * 1e3, cut)


def _by_task(functions: dict[str, float], subject: Subject) -> dict[str, float]:
    """Seconds of each kernel from microseconds of functions: the fastest of those that are it."""
    found = defaultdict(list)
    for name, kernel in subject.kernels_of_functions().items():
        if name in functions:
            found[kernel.task].append(functions[name] * 1e-6)
    return {task: min(times) for task, times in found.items()}


def _right_outputs(onnx: Path, subject: Subject) -> Sequence[Any]:
    return run_onnx(open_onnx(onnx, subject.threads), subject.arrays())
