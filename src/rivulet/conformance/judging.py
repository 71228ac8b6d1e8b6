"""Put one node test through preparation, compilation and a run, and say how it went."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.conformance.cases import FUNCTION_BODIES, Case
from rivulet.errors import UserError, last_line

# As ONNX's own runner compares (`onnx.backend.test.runner`).
_RELATIVE = 1e-3
_ABSOLUTE = 1e-5


@dataclass(frozen=True)
class Verdict:
    """How a node test went.

    Attributes:
        name: The test's.
        operator: What it is about.
        outcome: ``right``, ``refused`` (in a line that names the node), ``wrong`` or ``unclear``.
        message: What was said, or by how much the outputs differ.
    """

    name: str
    operator: str
    outcome: str
    message: str = ""


def judge(case: Case, target: Any) -> Verdict:
    """Prepare, compile and run a node test, its kernels without schedules.

    Args:
        case: The test.
        target: ``tvm.target.Target`` of this machine.
    """
    try:
        outputs = _run(case, target)
    except UserError as error:
        named = case.operator in str(error) or case.operator == FUNCTION_BODIES
        return Verdict(case.name, case.operator, "refused" if named else "unclear", str(error))
    except Exception as error:
        said = f"{type(error).__name__}: {last_line(error)}"
        return Verdict(case.name, case.operator, "unclear", said[:300])
    different = _difference(outputs, case.outputs)
    return Verdict(case.name, case.operator, "wrong" if different else "right", different)


def _run(case: Case, target: Any) -> list[np.ndarray]:
    import onnx

    from rivulet.graph.prepare import prepare_model
    from rivulet.tvm_compat import load_tvm

    tvm = load_tvm()
    from tvm import relax

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(case.model, str(path))
        prepared = prepare_model(path, target)
    # In memory, and not as `verify` does: some tests have no kernel at all, hence no code to link.
    with tvm.transform.PassContext(opt_level=3):
        machine = relax.VirtualMachine(tvm.compile(prepared.module, target), tvm.cpu())
    given = [tvm.runtime.tensor(np.asarray(value, order="C")) for value in case.inputs]
    result = machine["main"](*given, *prepared.params)
    outputs = [result] if hasattr(result, "numpy") else list(result)
    return [output.numpy() for output in outputs]


def _difference(outputs: list[np.ndarray], expected: list[np.ndarray]) -> str:
    """What differs from the reference, in a few words; empty if nothing does."""
    if len(outputs) != len(expected):
        return f"{len(outputs)} outputs instead of {len(expected)}"
    for place, (got, wanted) in enumerate(zip(outputs, expected, strict=True)):
        if got.shape != wanted.shape:
            return f"output {place} has shape {got.shape} instead of {wanted.shape}"
        if got.dtype != wanted.dtype:
            return f"output {place} is {got.dtype} instead of {wanted.dtype}"
        if not np.allclose(got, wanted, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True):
            with np.errstate(all="ignore"):
                error = np.abs(got.astype("float64") - wanted.astype("float64"))
            return f"output {place} differs by up to {np.nanmax(error):.2g}"
    return ""
