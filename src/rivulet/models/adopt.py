"""Check and adopt a user's ONNX file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError, first_line
from rivulet.models.description import (
    check_valid,
    depending_outputs,
    describe,
    read_graph,
)
from rivulet.models.fixed_shapes import Shapes, fix_shapes, has_ranks, yaml_key
from rivulet.models.given_inputs import Given, with_given
from rivulet.models.input_ranges import index_sizes
from rivulet.models.inputs import input_values
from rivulet.models.onnx_files import save_onnx
from rivulet.models.shape_inputs import refuse_shape_inputs
from rivulet.models.trial_run import all_nan, not_finite, open_onnx, run_onnx, sensitivity

_RANGES = "rivulet.inputs"
_MOST_NAMED = 3


def adopt_onnx(
    source: Path,
    path: Path,
    say: Callable[[str], None],
    shape: Shapes | None = None,
    *,
    given: Given | None = None,
) -> dict[str, Any]:
    """Copy a user's ONNX file into the results after checking that it can be run.

    The copy has fixed shapes; all else stays as it is in the file.

    Args:
        source: The user's file.
        path: File to write.
        say: Told what goes on, one line each.
        shape: Sizes for open dimensions: input to shape, or the shape of the only input.
        given: Values of inputs: input to range, or a file.

    Returns:
        Facts for the model's record.

    Raises:
        UserError: The file is no valid ONNX model, has inputs of unknown shape, or does not run.
    """
    import onnx

    say(f"checking {source}")
    model = read_graph(source)
    if has_ranks(model):  # without them no file is valid; those that are told may make it so
        check_valid(source, source)
    was_open = fix_shapes(model, shape, source)
    sizes = index_sizes(model) if given is not None else {}
    facts = describe(model)
    refuse_shape_inputs(model, facts["inputs"], source)
    facts["inputs"] = with_given(facts["inputs"], given, sizes, source, path=path)
    onnx.load_external_data_for_model(model, str(source.parent))
    if isinstance(given, Mapping):
        # What is made of the copy is stale when the ranges change, which the graph does not show.
        model.metadata_props.add(key=_RANGES, value=json.dumps(given, sort_keys=True))
    save_onnx(model, path)
    if was_open:
        check_valid(path, source)
    first, second = _two_runs(path, facts["inputs"], source, was_open, given=given is not None)
    _tell_of_numbers(facts, first, source, given is not None, say=say)
    fixed = all("file" in one for one in facts["inputs"])
    change = None if fixed else _sensitivity(model, facts["outputs"], first, second, say=say)
    return {**facts, "input_sensitivity": change}


def _sensitivity(
    model: Any,
    names: list[str],
    first: list[np.ndarray],
    second: list[np.ndarray],
    *,
    say: Callable[[str], None],
) -> float | None:
    moving = depending_outputs(model)
    places = [place for place, name in enumerate(names) if name in moving]
    before, after = ([values[place] for place in places] for values in (first, second))
    return sensitivity([names[place] for place in places], before, after, say)


def _two_runs(
    path: Path, inputs: Sequence[Mapping[str, Any]], source: Path, was_open: bool, *, given: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    other_sizes = ", or give 'shape' other sizes" if was_open else ""
    try:
        session = open_onnx(path)
    except Exception as error:
        raise UserError(
            f"{source}: ONNX Runtime, whose outputs are the right ones here, cannot load it: "
            f"{_reason(error)}; export it with a newer opset, or without that operator"
            f"{other_sizes}"
        ) from error
    try:
        first, second = (run_onnx(session, input_values(inputs, seed)) for seed in (0, 1))
    except Exception as error:
        where = "the values that 'inputs' gives" if given else "random input"
        advice = "change these" if given else f"if it needs other values, {_advice(inputs)}"
        raise UserError(
            f"{source}: ONNX Runtime cannot run it on {where}: {_reason(error)}; {advice}"
            f"{other_sizes}"
        ) from error
    return first, second


def _reason(error: Exception) -> str:
    """The first line of an error of ONNX Runtime, without the code in front of it."""
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first_line(error))


def _tell_of_numbers(
    facts: Mapping[str, Any],
    outputs: Sequence[np.ndarray],
    source: Path,
    given: bool,
    *,
    say: Callable[[str], None],
) -> None:
    """Say which outputs are no finite numbers, and stop where that are all of them."""
    advice = "" if given else f"; {_advice(facts['inputs'])}"
    if all_nan(outputs) and not given:
        raise UserError(
            f"{source}: all outputs are NaN for random input, so that none could be told from a "
            f"wrong one{advice}"
        )
    shares = not_finite(facts["outputs"], outputs)
    if shares:
        which = ", ".join(f"'{name}' ({share:.0%})" for name, share in shares.items())
        say(
            "warning: NaN or infinity is in the output "
            f"{which} for {'the given' if given else 'random'} input{advice}"
        )


def _advice(inputs: Sequence[Mapping[str, Any]]) -> str:
    """What a person may write into the config."""
    ranges = [f"{yaml_key(one['name'])}: {one.get('range', [0, 1])}" for one in inputs]
    named = ", ".join(ranges[:_MOST_NAMED])
    return (
        f"say in the model's entry which values its inputs have, such as 'inputs: {{{named}}}' or "
        "'inputs: FILE.npz'"
    )
