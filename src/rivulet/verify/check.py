"""Hold a prepared model against ONNX Runtime, before anything is searched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError
from rivulet.graph.prepare import PreparedModel, prepare_model
from rivulet.hardware.target import this_cpu
from rivulet.measure.outputs import largest_relative_error
from rivulet.models.inputs import input_values
from rivulet.models.precision import tolerance_for
from rivulet.models.trial_run import open_onnx, run_onnx
from rivulet.verify.running import prepared_outputs
from rivulet.verify.suspect import Cutter, Suspect, find_suspect


@dataclass(frozen=True)
class Check:
    """A model that is to be checked.

    Attributes:
        onnx: The exported model.
        told: What a person calls it: the user's file, or the model's name.
        draws: Values for its inputs, each draw in their order.
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
    draws: Sequence[Sequence[np.ndarray]]
    outputs: Sequence[str]
    threads: int
    tolerance: float
    tolerance_key: str
    folder: Path
    note: Callable[[str], None]
    prepare: Callable[[Path, Any], PreparedModel] = prepare_model

    @classmethod
    def of_export(
        cls,
        onnx: Path,
        told: str,
        facts: Mapping[str, Any],
        benchmark: Mapping[str, Any],
        *,
        threads: int,
        folder: Path,
        note: Callable[[str], None],
    ) -> Check:
        """The check of an exported model.

        Args:
            onnx: As above, and so are the arguments that are not told of.
            told: As above.
            facts: What the record of the export says.
            benchmark: The section ``benchmark`` of the config: seed, draws and tolerance.
            threads: As above.
            folder: As above.
            note: As above.
        """
        tolerance, key = tolerance_for(benchmark, facts)
        seeds = range(benchmark["seed"], benchmark["seed"] + benchmark["inputs"])
        draws = [input_values(facts["inputs"], seed) for seed in seeds]
        return cls(onnx, told, draws, facts["outputs"], threads, tolerance, key, folder, note)


@dataclass(frozen=True)
class _Worst:
    """The output that differs most, by how much, and the inputs with which it does."""

    output: str
    error: float
    inputs: Sequence[np.ndarray]


def verify(check: Check, model: PreparedModel, target: Any) -> float:
    """Run a prepared model, and ONNX Runtime, on the same inputs.

    It says whether import and passes are right. Schedules play no part: each kernel's are checked
    when they are measured. A model for another kind of device is prepared once more for this
    machine's CPU, which it runs on here.

    Args:
        check: What is checked, and how.
        model: The prepared model.
        target: The TVM target that it was prepared for.

    Returns:
        The largest relative error of an output over all draws of the inputs.

    Raises:
        UserError: An output differs by more than the tolerance; the message names it, and the
            operator that it comes from.
    """
    right = _right_outputs(check)
    host = this_cpu(check.threads)
    if str(target.kind.name) != str(host.kind.name):
        model = check.prepare(check.onnx, host)
    worst = _worst(check, prepared_outputs(model, check.draws, host, check.folder), right)
    if worst.error > check.tolerance:
        check.note(
            f"output '{worst.output}' differs by {worst.error:.2e}; once more without schedules"
        )
        found = prepared_outputs(model, check.draws, host, check.folder, scheduled=False)
        worst = _worst(check, found, right)
    if worst.error <= check.tolerance:
        return worst.error
    raise UserError(
        f"{check.told}: TVM computes this model wrongly: output '{worst.output}' differs from "
        f"ONNX Runtime's by {_amount(worst.error)} (allowed: {check.tolerance:g}, "
        f"{check.tolerance_key}){_blame(check, worst, host)}"
    )


def _right_outputs(check: Check) -> list[list[np.ndarray]]:
    """What ONNX Runtime puts out; its memory is free again before TVM compiles."""
    session = open_onnx(check.onnx, check.threads)
    return [run_onnx(session, inputs) for inputs in check.draws]


def _worst(
    check: Check, found: Sequence[Sequence[np.ndarray]], right: Sequence[Sequence[np.ndarray]]
) -> _Worst:
    errors = [
        _Worst(name, largest_relative_error([one], [other]), inputs)
        for inputs, ours, theirs in zip(check.draws, found, right, strict=True)
        for name, one, other in zip(check.outputs, ours, theirs, strict=True)
    ]
    return max(errors, key=lambda one: one.error)


def _amount(error: float) -> str:
    return f"{error:.2e} relative" if math.isfinite(error) else "its shape, or by what is no number"


def _blame(check: Check, worst: _Worst, host: Any) -> str:
    try:
        suspect = _suspect(check, worst, host)
    except Exception as error:  # a part of a model may fail where the whole does not
        check.note(f"the operator could not be found: {error}")
        return ""
    if suspect is None:
        return "; each operator alone is right, several together are not"
    return (
        f"; the first operator that differs is {suspect.operator} '{suspect.node}' "
        f"(by {_amount(suspect.error)}): export the model without it (docs/operators.md)"
    )


def _suspect(check: Check, worst: _Worst, host: Any) -> Suspect | None:
    import onnx

    cutter = Cutter(
        onnx.load(str(check.onnx)), worst.inputs, host, check.threads, check.tolerance,
        check.prepare, check.folder,
    )  # fmt: skip
    return find_suspect(cutter, worst.output)
