"""The model whose variants are benchmarked, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.benchmark.interleave import TimingSettings
from rivulet.hardware.fingerprint import Device
from rivulet.methods import ONNXRUNTIME
from rivulet.models.inputs import input_values


@dataclass(frozen=True)
class Subject:
    """What every process of a benchmark times.

    Attributes:
        onnx: The exported model, for ONNX Runtime and for the weights.
        libraries: Method to compiled model.
        inputs: Each input, as the model's record has it.
        device: The device.
        timing: How to time; each process has a seed of its own.
        tolerance: Largest relative error of an output that counts as right.
        baselines: Other runtimes that are timed: ``onnxruntime``, ``openvino``, ``torch``,
            ``torch-compile``.
        definition: The model's entry in the config, for PyTorch.
        module: Makes the PyTorch module behind the model; by default that of the definition, where
            it is one of torchvision's. New processes have to be able to import it.
        checks: Seeded inputs on which outputs are compared.
        weights: File in which the packed weights are kept from one process to the next; None to
            work them out each time.
        peak_gflops: What the machine can do, to tell when it is slower; None not to look.
        once_only: Methods that get one sample in a process, and whose output is checked on one
            input there.
        profiled: Methods whose functions an earlier process has timed, which is enough.
        tolerance_key: Key of the config that says the tolerance.
    """

    onnx: Path
    libraries: Mapping[str, Path]
    inputs: Sequence[Mapping[str, Any]]
    device: Device
    timing: TimingSettings
    tolerance: float
    baselines: Sequence[str] = (ONNXRUNTIME,)
    definition: Mapping[str, Any] | None = None
    module: Callable[[], Any] | None = None
    checks: int = 1
    weights: Path | None = None
    peak_gflops: float | None = None
    once_only: Sequence[str] = ()
    profiled: Sequence[str] = ()
    tolerance_key: str = "benchmark.tolerance"

    @property
    def methods(self) -> list[str]:
        """All that is timed."""
        return [*self.libraries, *self.baselines]

    def without(self, methods: Sequence[str]) -> Subject:
        """The same without some methods."""
        return replace(
            self,
            libraries={m: path for m, path in self.libraries.items() if m not in methods},
            baselines=[m for m in self.baselines if m not in methods],
        )

    def arrays(self, seed: int) -> list[np.ndarray]:
        """Seeded inputs, in the order of the model's."""
        return input_values(self.inputs, seed)
