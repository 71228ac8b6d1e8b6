"""OpenVINO as a variant to compare with.

It pins its threads by itself, one to a core of those that the process may use, which is what the
other runtimes get here from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rivulet.hardware.cpu import physical_cores

# What it is asked for beside the number of threads. Left alone it takes bfloat16 where the CPU has
# it, which is another computation than float32.
SETTINGS: dict[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": True,
}


class OpenVinoModel:
    """A model in OpenVINO, on the CPU and for the latency of single inferences.

    Args:
        path: ONNX file.
        threads: Threads of an inference, the one that waits for it not included.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        self._tensor = openvino.Tensor
        asked = {
            **SETTINGS,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_HYPER_THREADING": threads > physical_cores(),
        }
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(str(path)), "CPU", asked)
        self._request = self._compiled.create_infer_request()
        self._asked = list(asked)
        self._inputs: list[Any] = []

    @property
    def configuration(self) -> dict[str, str]:
        """What it was asked for, as it has understood it, by the names of its properties."""
        return {name: _shown(self._compiled.get_property(name)) for name in self._asked}

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        # The tensors read the arrays' own memory, so that these have to live on.
        self._inputs = [np.ascontiguousarray(array) for array in inputs]
        for port, array in zip(self._compiled.inputs, self._inputs, strict=True):
            self._request.set_tensor(port, self._tensor(array, shared_memory=True))

    def run(self) -> None:
        """One inference."""
        self._request.infer()

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        return [self._request.get_tensor(port).data for port in self._compiled.outputs]


def _shown(value: Any) -> str:
    """A property's value; types are objects that show more than their name."""
    return str(value.get_type_name()) if hasattr(value, "get_type_name") else str(value)
