"""What ONNX Runtime computes of a model, its intermediate values included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def reference_outputs(path: Path, inputs: Sequence[np.ndarray], threads: int) -> list[np.ndarray]:
    """Outputs of an ONNX file.

    Args:
        path: ONNX file.
        inputs: Its inputs, in their order.
        threads: Threads to run on.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # warnings are about outputs without a declared type
    # One run is not worth that its threads keep other jobs' CPUs busy while they wait.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    outputs: list[np.ndarray] = session.run(None, dict(zip(names, inputs, strict=True)))
    return outputs
