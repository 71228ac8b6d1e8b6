"""Run a prepared model on this machine's CPU, a few times."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.graph.prepare import PreparedModel
from rivulet.measure.linking import export_library
from rivulet.tvm_compat import load_tvm
from rivulet.verify.loops import with_plain_schedules

# Compiling takes longer than running: less optimisation, and no checks of what is passed from one
# kernel to the next, which would be half of the code.
_OPTIMISATION = {"opt-level": 1}
_NO_CHECKS = {"tirx.disable_assert": True}


def prepared_outputs(
    model: PreparedModel,
    draws: Sequence[Sequence[np.ndarray]],
    target: Any,
    folder: Path,
    *,
    scheduled: bool = True,
) -> list[list[np.ndarray]]:
    """Outputs of a prepared model for each of some draws of its inputs.

    Args:
        model: The prepared model, of any target that has the kernels of a CPU.
        draws: Values for its inputs, each draw in their order.
        target: TVM target of this machine's CPU.
        folder: Where the compiled library is written for the moment.
        scheduled: Whether kernels get plain schedules; without, they run as the model has them.
    """
    tvm = load_tvm()
    from tvm import relax

    module = with_plain_schedules(model.module) if scheduled else model.module
    quick = tvm.target.Target({**_attributes(target), **_OPTIMISATION})
    with tempfile.TemporaryDirectory(dir=folder) as place:
        library = Path(place) / "model.so"
        with quick, tvm.transform.PassContext(opt_level=3, config=_NO_CHECKS):
            export_library(tvm.compile(module, quick), library)
        machine = relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    found = []
    for inputs in draws:
        result = machine["main"](*(tvm.runtime.tensor(one) for one in inputs), *model.params)
        found.append([one.numpy() for one in ([result] if hasattr(result, "numpy") else result)])
    return found


def _attributes(target: Any) -> dict[str, Any]:
    return {"kind": str(target.kind.name), **target.attrs}
