"""What the config says of the inputs of a user's ONNX file: shapes and values."""

from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

from rivulet.config.context import base_folder, places_known
from rivulet.config.problems import Problem, refuse, shown
from rivulet.config.values import is_int, is_size

ONNX_SHAPE_ALLOWED = (
    "a mapping from inputs to lists of integers of at least 1, such as {input: [1, 3, 224, 224]}, "
    "or such a list where there is one input"
)
INPUTS_ALLOWED = (
    "a mapping from inputs to ranges, such as {ids: [0, 30522]}, or an existing .npz file, "
    "relative to the working directory"
)


def checked_onnx_shape(value: object) -> object:
    """Input to shape, or the shape of the only input; null is the same as nothing."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        problems = _bad_sizes((), value)
    elif isinstance(value, dict) and value:
        problems = [found for name, sizes in value.items() for found in _bad_sizes((name,), sizes)]
    else:
        refuse(Problem((), f"{shown(value)} is no shape; allowed: {ONNX_SHAPE_ALLOWED}"))
    if problems:
        refuse(*problems)
    return value if isinstance(value, dict) else tuple(value)


def _bad_sizes(at: tuple[str, ...], sizes: object) -> list[Problem]:
    if not isinstance(sizes, (list, tuple)) or not sizes:
        return [Problem(at, f"{shown(sizes)} is no shape; allowed: {ONNX_SHAPE_ALLOWED}")]
    return [
        Problem((*at, i), f"{shown(size)} is no size; allowed: {ONNX_SHAPE_ALLOWED}")
        for i, size in enumerate(sizes)
        if not is_size(size)
    ]


def checked_inputs(value: object, info: ValidationInfo) -> object:
    """Input to the range of its values, or a file that has values; null is the same as nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        if places_known(info) is None:
            _refuse_missing(value, base_folder(info))
        return value
    if not isinstance(value, dict) or not value:
        refuse(Problem((), f"{shown(value)} tells no values; allowed: {INPUTS_ALLOWED}"))
    problems = [found for name, ends in value.items() for found in _bad_range(name, ends)]
    if problems:
        refuse(*problems)
    return value


def _refuse_missing(name: str, folder: Path) -> None:
    try:
        exists = (folder / name).is_file()
    except (OSError, ValueError):  # for example a name longer than the file system takes
        exists = False
    if not exists:
        refuse(Problem((), f"{shown(name)} is no such file; allowed: {INPUTS_ALLOWED}"))
    if not name.endswith(".npz"):
        refuse(Problem((), f"{shown(name)} is no .npz file; allowed: {INPUTS_ALLOWED}"))


def _bad_range(name: str, ends: Any) -> list[Problem]:
    if not _are_two_numbers(ends):
        return [Problem((name,), f"{shown(ends)} is no range; allowed: {INPUTS_ALLOWED}")]
    if ends[0] < ends[1]:
        return []
    text = f"{shown(list(ends))} is empty: values lie from the first number to below the second"
    return [Problem((name,), f"{text}; allowed: {INPUTS_ALLOWED}")]


def _are_two_numbers(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(is_int(n) or isinstance(n, float) for n in value)
        and all(abs(n) <= 2**64 for n in value)  # also false for not-a-number
    )
