"""ONNX Runtime as a variant to compare with.

Its threads are pinned, one to a core, like those of TVM's pool. Left to themselves beside a pool
that is pinned they often wake on one core and spin against each other until the kernel's load
balancer moves one, which takes longer than a sample: the median is then several times too high.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivulet.hardware.cpu import spread_cpus


class OnnxRuntimeModel:
    """A model in ONNX Runtime.

    Args:
        path: ONNX file.
        threads: Threads of its pool, the calling one included.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Its threads would keep spinning into the next variant's sample.
        entries = {"session.force_spinning_stop": "1"}
        if threads > 1:
            # The calling thread is the first of the pool; the option counts CPUs from 1.
            others = ";".join(str(cpu + 1) for cpu in spread_cpus(threads)[1:])
            entries["session.intra_op_thread_affinities"] = others
        for name, value in entries.items():
            options.add_session_config_entry(name, value)
        self._configuration = {
            "graph_optimization_level": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
            "intra_op_num_threads": str(threads),
            "inter_op_num_threads": "1",
            **entries,
        }
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._outputs: list[Any] = []

    @property
    def configuration(self) -> dict[str, str]:
        """Its session's options, by their names."""
        return dict(self._configuration)

    def bind(self, inputs: list[Any]) -> None:
        """Fix the inputs of the following runs; arrays in the order of the model's inputs."""
        names = [value.name for value in self._session.get_inputs()]
        self._feed = dict(zip(names, inputs, strict=True))

    def run(self) -> None:
        """One inference."""
        self._outputs = self._session.run(None, self._feed)

    def outputs(self) -> list[Any]:
        """Outputs of the last run, as arrays."""
        return self._outputs
