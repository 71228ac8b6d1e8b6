"""What the user's config says of inputs' values, held against what the model takes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError
from rivulet.models.fixed_shapes import check_known
from rivulet.models.onnx_files import values_beside

Range = Sequence[float]
Given = Mapping[str, Range] | str


def with_given(
    inputs: list[dict[str, Any]],
    given: Given | None,
    sizes: Mapping[str, int],
    source: Path,
    *,
    path: Path,
) -> list[dict[str, Any]]:
    """The inputs, with what the config says of their values.

    Args:
        inputs: Of each input what is known of it.
        given: Input to the range of its values, or the file that has values; None for nothing.
        sizes: Inputs that are indices, to the extent that they index.
        source: The user's model, for error lines.
        path: The exported model; values from a file are kept beside it.

    Raises:
        UserError: An input is unknown, or values do not fit it.
    """
    beside = values_beside(path)
    beside.unlink(missing_ok=True)
    if given is None:
        return inputs
    names = [one["name"] for one in inputs]
    if not isinstance(given, str):
        check_known("'inputs'", list(given), names, source)
        return [_ranged(one, given.get(one["name"]), sizes, source) for one in inputs]
    arrays = _read(Path(given))
    check_known(given, list(arrays), names, source)
    for one in inputs:
        if one["name"] in arrays:
            _check_array(given, one, arrays[one["name"]], sizes.get(one["name"]))
    np.savez(beside, allow_pickle=False, **arrays)
    return [
        {**_bare(one), "file": str(beside), **_range_of(arrays[one["name"]])}
        if one["name"] in arrays
        else one
        for one in inputs
    ]


def _bare(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("name", "shape", "dtype")}


def _ranged(
    one: dict[str, Any], given: Range | None, sizes: Mapping[str, int], source: Path
) -> dict[str, Any]:
    if given is None:
        return one
    low, high = given
    name, dtype = one["name"], np.dtype(one["dtype"])
    at = f"{source}: 'inputs' gives '{name}' the range [{low}, {high}]"
    if dtype.kind == "b":
        raise UserError(f"{at}, but it is bool; leave it out, true and false are drawn alike")
    if dtype.kind == "f":
        return {**_bare(one), "range": [float(low), float(high)]}
    limits = np.iinfo(dtype)
    if any(int(end) != end for end in given):
        raise UserError(f"{at}, but it is {dtype}; give whole numbers")
    if low < limits.min or high > int(limits.max) + 1:
        raise UserError(
            f"{at}, but it is {dtype}; give numbers from {limits.min} to {int(limits.max) + 1}"
        )
    if name in sizes and not -sizes[name] <= low < high <= sizes[name]:
        raise UserError(
            f"{at}, but it is an index of {sizes[name]} entries; give at most [0, {sizes[name]}]"
        )
    return {**_bare(one), "range": [int(low), int(high)]}


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not readable as an .npz file of plain arrays ({error}); write it with "
            "numpy.savez(FILE, INPUT=array)"
        ) from error
    if not arrays:
        raise UserError(f"{path}: has no arrays; write it with numpy.savez(FILE, INPUT=array)")
    return arrays


def _check_array(path: str, one: Mapping[str, Any], array: np.ndarray, size: int | None) -> None:
    name, shape, dtype = one["name"], list(one["shape"]), one["dtype"]
    if list(array.shape) != shape:
        raise UserError(
            f"{path}: '{name}' has the shape {list(array.shape)}, and the model's input {shape}; "
            "write an array of this shape"
        )
    if str(array.dtype) != dtype:
        raise UserError(
            f"{path}: '{name}' is {array.dtype}, and the model's input {dtype}; convert it with "
            f".astype('{dtype}')"
        )
    if size is not None and not (-size <= array.min() and array.max() < size):
        raise UserError(
            f"{path}: '{name}' has values from {array.min()} to {array.max()}, but is an index of "
            f"{size} entries; write values from 0 to {size - 1}"
        )


def _range_of(array: np.ndarray) -> dict[str, Any]:
    """A range of values like those of an array, for whoever has no file."""
    if array.dtype.kind == "b":
        return {}
    if array.dtype.kind in "iu":
        return {"range": [int(array.min()), int(array.max()) + 1]}
    finite = array[np.isfinite(array)]
    return {"range": [float(finite.min()), float(finite.max())]} if finite.size else {}
