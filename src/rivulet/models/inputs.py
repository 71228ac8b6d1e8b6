"""Values for a model's inputs: the one place where they are drawn.

The record of an exported model says of each input its name, shape and dtype, and what else a value
has to be:

- ``range``: the least value, and the one that all values stay below;
- ``mask``: nearly all ones, as for a sequence with little padding;
- ``file``: the file that holds the values which the user gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError

_ONES_OF_A_MASK = 0.9
# Of integers of whose use nothing is known: small enough for any table, and not all the same.
_UNKNOWN = (0, 8)
_FULL = {"uint8": (0, 256), "int8": (-128, 128)}  # images, and what is quantised


def default_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least value and the end of the range of integers of whose use nothing is known."""
    return _FULL.get(dtype.name, _UNKNOWN)


def input_values(inputs: Sequence[Mapping[str, Any]], seed: int) -> list[np.ndarray]:
    """Seeded values for a model's inputs.

    Floats are of the standard normal distribution where no range is told, and truth values are
    true or false alike.

    Args:
        inputs: Of each input what the model's record says, in the model's order.
        seed: Seed; values from a file are the same for all seeds.

    Returns:
        One array per input, of its shape and dtype.

    Raises:
        UserError: The file with the values is gone.
    """
    generator = np.random.default_rng(seed)
    return [_values(one, generator) for one in inputs]


def _values(one: Mapping[str, Any], generator: np.random.Generator) -> np.ndarray:
    shape, dtype = tuple(one["shape"]), np.dtype(one["dtype"])
    if "file" in one:
        return _from_file(Path(one["file"]), one["name"])
    if one.get("mask"):
        return _mask(shape, dtype, generator)
    if dtype.kind == "f" and "range" not in one:
        return np.asarray(generator.standard_normal(shape), dtype)
    if dtype.kind == "f":
        low, high = one["range"]
        return np.asarray(generator.uniform(low, high, shape), dtype)
    if dtype.kind == "b":
        return np.asarray(generator.integers(0, 2, shape), dtype)
    low, high = one.get("range") or default_range(dtype)
    return np.asarray(generator.integers(low, high, shape, dtype=dtype))


def _mask(
    shape: tuple[int, ...], dtype: np.dtype[Any], generator: np.random.Generator
) -> np.ndarray:
    # A row without a one leaves nothing to attend to, and its result is no number.
    values = np.atleast_1d(generator.random(shape) < _ONES_OF_A_MASK)
    values[..., 0] = True
    return values.reshape(shape).astype(dtype)


def _from_file(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path) as kept:
            return np.asarray(kept[name])
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: no values for the input '{name}' there; delete the model's record beside "
            "it, and the workflow exports the model again"
        ) from error
