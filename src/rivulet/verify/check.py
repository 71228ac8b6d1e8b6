"""Hold a prepared model against ONNX Runtime, before anything is searched."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError
from rivulet.graph.prepare import PreparedModel, prepare_model
from rivulet.hardware.target import this_cpu
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.trial_run import open_onnx, run_onnx
from rivulet.verify.running import prepared_outputs
from rivulet.verify.suspect import Cutter, Suspect, find_suspect


@dataclass(frozen=True)
class Check:
    """A model that is to be checked.

    Attributes:
        onnx: The exported model.
        told: What a person calls it: the user's file, or the model's name.
        inputs: Values for its inputs, in their order.
        outputs: Names of its outputs.
        threads: Threads of this machine's CPU to run on.
        tolerance: Largest relative error of an output that counts as right.
        tolerance_key: Key of the config that says the tolerance.
        folder: Where files are written for the moment.
        note: Writes a line to the log.
        prepare: Prepares an ONNX file for a target.
    """

    onnx: Path
    told: str
    inputs: Sequence[np.ndarray]
    outputs: Sequence[str]
    threads: int
    tolerance: float
    tolerance_key: str
    folder: Path
    note: Callable[[str], None]
    prepare: Callable[[Path, Any], PreparedModel] = prepare_model


def verify(check: Check, model: PreparedModel, target: Any) -> float:
    """Run a prepared model, and ONNX Runtime, once on the same inputs.

    It says whether import and passes are right. Schedules play no part: each kernel's are checked
    when they are measured. A model for another kind of device is prepared once more for this
    machine's CPU, which it runs on here.

    Args:
        check: What is checked, and how.
        model: The prepared model.
        target: The TVM target that it was prepared for.

    Returns:
        The largest relative error of an output.

    Raises:
        UserError: An output differs by more than the tolerance; the message names it, and the
            operator that it comes from.
    """
    right = run_onnx(open_onnx(check.onnx, check.threads), check.inputs)
    host = this_cpu(check.threads)
    if str(target.kind.name) != str(host.kind.name):
        model = check.prepare(check.onnx, host)
    found = prepared_outputs(model, check.inputs, host, check.folder)
    worst = _worst(check, found, right)
    if worst[1] > check.tolerance:
        check.note(f"output '{worst[0]}' differs by {worst[1]:.2e}; once more without schedules")
        found = prepared_outputs(model, check.inputs, host, check.folder, scheduled=False)
        worst = _worst(check, found, right)
    output, error = worst
    if error <= check.tolerance:
        return error
    raise UserError(
        f"{check.told}: TVM computes this model wrongly: output '{output}' differs from ONNX "
        f"Runtime's by {_amount(error)} (allowed: {check.tolerance:g}, {check.tolerance_key})"
        f"{_blame(check, output, host)}"
    )


def _worst(
    check: Check, found: Sequence[np.ndarray], right: Sequence[np.ndarray]
) -> tuple[str, float]:
    """The output that differs most, and its error."""
    errors = [
        (name, largest_relative_error([ours], [theirs]))
        for name, ours, theirs in zip(check.outputs, found, right, strict=True)
    ]
    return max(errors, key=lambda one: one[1], default=("", 0.0))


def _amount(error: float) -> str:
    return f"{error:.2e} relative" if math.isfinite(error) else "its shape, or by what is no number"


def _blame(check: Check, output: str, host: Any) -> str:
    try:
        suspect = _suspect(check, output, host)
    except Exception as error:  # a part of a model may fail where the whole does not
        check.note(f"the operator could not be found: {error}")
        return ""
    if suspect is None:
        return "; each operator alone is right, several together are not"
    return (
        f"; the first operator that differs is {suspect.operator} '{suspect.node}' "
        f"(by {_amount(suspect.error)}): export the model without it (docs/operators.md)"
    )


def _suspect(check: Check, output: str, host: Any) -> Suspect | None:
    import onnx

    cutter = Cutter(
        onnx.load(str(check.onnx)), check.inputs, host, check.threads, check.tolerance,
        check.prepare, check.folder,
    )  # fmt: skip
    return find_suspect(cutter, output)
