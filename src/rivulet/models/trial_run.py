"""What a model's outputs tell when it runs on two sets of inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_LEAST_SENSITIVITY = 1e-2


def open_onnx(path: Path, threads: int = 0) -> Any:
    """A session of ONNX Runtime for a few runs of an ONNX file.

    Args:
        path: ONNX file.
        threads: Threads to run on; 0 for as many as there are cores.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors come as exceptions; warnings help nobody here
    # Two runs are not worth that its threads keep other jobs' CPUs busy while they wait.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnx(session: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A model's outputs in ONNX Runtime.

    Args:
        session: As `open_onnx` gives it.
        arrays: Inputs, in the model's order.
    """
    names = [value.name for value in session.get_inputs()]
    outputs: list[np.ndarray] = session.run(None, dict(zip(names, arrays, strict=True)))
    return outputs


def sensitivity(
    names: Sequence[str],
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    say: Callable[[str], None],
) -> float | None:
    """How much the outputs change with the inputs; warns where one hardly does.

    An output that is no float, such as a class, may well stay the same: these count only where
    there is no other.

    Args:
        names: Names of the outputs, those that depend on an input.
        first: The outputs for some inputs.
        second: The outputs for others.
        say: Told the warning.

    Returns:
        Largest change of an output, relative to its magnitude; None where there is nothing to
        compare.
    """
    changes = {
        name: (_change(a, b), a.dtype.kind == "f")
        for name, a, b in zip(names, first, second, strict=True)
        if a.shape == b.shape and np.isfinite(_numbers(a)).any()
    }
    floats = {name: change for name, (change, is_float) in changes.items() if is_float}
    compared = floats or {name: change for name, (change, _) in changes.items()}
    deaf = {name: change for name, change in compared.items() if change < _LEAST_SENSITIVITY}
    if deaf:
        one = "the output" if len(names) == 1 else f"output {', '.join(map(repr, deaf))}"
        verb = "depend" if len(deaf) > 1 else "depends"
        say(
            f"warning: {one} hardly {verb} on the input (changes by {max(deaf.values()):.1e} of "
            "its magnitude), so comparing outputs will hardly show a wrong schedule"
        )
    return max(compared.values(), default=None)


def not_finite(names: Sequence[str], outputs: Sequence[np.ndarray]) -> dict[str, float]:
    """Outputs with values that are no finite number, and the share of such values."""
    shares = {
        name: float(1 - np.isfinite(_numbers(array)).mean())
        for name, array in zip(names, outputs, strict=True)
        if array.size
    }
    return {name: share for name, share in shares.items() if share > 0}


def all_nan(outputs: Sequence[np.ndarray]) -> bool:
    """Whether no output has any number."""
    filled = [_numbers(array) for array in outputs if array.size]
    return bool(filled) and all(np.isnan(array).all() for array in filled)


def _change(first: np.ndarray, second: np.ndarray) -> float:
    one, other = _numbers(first), _numbers(second)
    both = np.isfinite(one) & np.isfinite(other)
    magnitude = float(np.max(np.abs(one[np.isfinite(one)]))) or 1.0
    return float(np.max(np.abs(one - other), where=both, initial=0.0)) / magnitude


def _numbers(array: np.ndarray) -> np.ndarray[Any, np.dtype[np.float64]]:
    # Truth values cannot be subtracted, and differences of unsigned integers wrap around.
    return array.astype(np.float64)
