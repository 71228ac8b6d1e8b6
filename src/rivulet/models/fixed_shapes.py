"""Fixed sizes for the dimensions that an ONNX file leaves open."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rivulet.config.problems import did_you_mean
from rivulet.errors import UserError
from rivulet.models.onnx_files import without_weights

Shapes = Mapping[str, Sequence[int]] | Sequence[int]
_LIKELY = {4: (1, 3, 224, 224), 3: (1, 128, 128), 2: (1, 128)}  # images, and sequences
_LIKELY_ELSE = 8


def fix_shapes(model: Any, shapes: Shapes | None, source: Path) -> bool:
    """Give every input a fixed shape, in place.

    A named dimension that is open in several inputs gets the size that it has in one that is told.

    Args:
        model: ``onnx.ModelProto``; its weights may be left out.
        shapes: Input to its shape, or the shape of the only input; None where nothing is told.
        source: The user's file, for error lines.

    Returns:
        Whether anything was open.

    Raises:
        UserError: A dimension stays open, or a shape does not fit the file.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {v.name: v for v in model.graph.input if v.name not in weights}
    told = _by_name(shapes, list(inputs), source)
    sizes: dict[str, int] = {}
    for name, shape in told.items():
        _check_fits(inputs[name], shape, source)
        dims = inputs[name].type.tensor_type.shape.dim
        sizes |= {d.dim_param: n for d, n in zip(dims, shape, strict=False) if d.dim_param}
    was_open = [name for name, value in inputs.items() if not _is_fixed(value)]
    for name in was_open:
        _fix(inputs[name], told.get(name), sizes)
    still_open = [name for name in was_open if not _is_fixed(inputs[name])]
    if still_open:
        raise UserError(_what_is_open(inputs, was_open, still_open, told, source=source))
    if was_open:
        _infer_again(model)
    return bool(was_open)


def has_ranks(model: Any) -> bool:
    """Whether the rank of every input is known."""
    return all(value.type.tensor_type.HasField("shape") for value in model.graph.input)


def yaml_key(name: str) -> str:
    """A name as a key within YAML's flow style."""
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else json.dumps(name)


def check_known(key: str, given: Sequence[str], names: Sequence[str], source: Path) -> None:
    """Refuse what is told of an input that the model has not.

    Args:
        key: Key, or file, that tells it.
        given: Names that it has something to say of.
        names: Names of the model's inputs.
        source: The user's model, for error lines.
    """
    for name in given:
        if name not in names:
            raise UserError(
                f"{source}: {key} names an input '{name}' that the model has not; its inputs: "
                f"{', '.join(names)}{did_you_mean(name, list(names))}"
            )


def _by_name(shapes: Shapes | None, names: list[str], source: Path) -> dict[str, list[int]]:
    if isinstance(shapes, Mapping):
        check_known("'shape'", list(shapes), names, source)
        return {name: list(shape) for name, shape in shapes.items()}
    if shapes is None:
        return {}
    if len(names) != 1:
        each = ", ".join(f"{yaml_key(name)}: {list(shapes)}" for name in names)
        raise UserError(
            f"{source}: 'shape: {list(shapes)}' does not say of which input it is the shape; name "
            f"each that has open dimensions: 'shape: {{{each}}}'"
        )
    return {names[0]: list(shapes)}


def _check_fits(value: Any, shape: list[int], source: Path) -> None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return
    dims = tensor.shape.dim
    fits = len(dims) == len(shape) and all(
        d.dim_value in (size, 0, -1) for d, size in zip(dims, shape, strict=True)
    )
    if not fits:
        raise UserError(
            f"{source}: 'shape' gives the input '{value.name}' the shape {shape}, but the file "
            f"has [{_shown_dims(value)}]; only open dimensions can be given a size, so change "
            "'shape', or export the model with this one"
        )


def _is_fixed(value: Any) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(dim.dim_value > 0 for dim in tensor.shape.dim)


def _fix(value: Any, shape: list[int] | None, sizes: Mapping[str, int]) -> None:
    shaped = value.type.tensor_type.shape
    if shape is not None and len(shaped.dim) != len(shape):  # of unknown rank
        value.type.tensor_type.shape.SetInParent()
        for _ in shape:
            shaped.dim.add()
    for place, dim in enumerate(shaped.dim):
        if dim.dim_value > 0:
            continue
        size = shape[place] if shape is not None else sizes.get(dim.dim_param)
        if size is not None:
            dim.dim_value = size


def _infer_again(model: Any) -> None:
    """Forget what the file says of shapes within the graph, and work the outputs' out anew."""
    import onnx

    del model.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(without_weights(model), data_prop=True).graph
    del model.graph.output[:]
    model.graph.output.extend(inferred.output)


def _what_is_open(
    inputs: Mapping[str, Any],
    was_open: list[str],
    still_open: list[str],
    told: Mapping[str, list[int]],
    *,
    source: Path,
) -> str:
    """The error line; it has the line of the config that a person would have to write."""
    names = ", ".join(
        f"'{n}' [{_shown_dims(inputs[n])}]"
        if inputs[n].type.tensor_type.HasField("shape")
        else f"'{n}' (of no known rank)"
        for n in still_open
    )
    likely: dict[str, int] = {}
    line = ", ".join(
        f"{yaml_key(name)}: {told.get(name) or _likely_shape(inputs[name], likely)}"
        for name in was_open
    )
    return (
        f"{source}: schedules are searched for fixed shapes, but these inputs have open "
        f"dimensions: {names}; write in the model's entry, with sizes of your choice, "
        f"'shape: {{{line}}}'"
    )


def _likely_shape(value: Any, likely: dict[str, int]) -> list[int]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return list(_LIKELY[4])
    dims = tensor.shape.dim
    sizes = _LIKELY.get(len(dims), (1, *[_LIKELY_ELSE] * (len(dims) - 1)))
    return [
        d.dim_value if d.dim_value > 0 else likely.setdefault(d.dim_param or f"{value.name} {i}", n)
        for i, (d, n) in enumerate(zip(dims, sizes, strict=True))
    ]


def _shown_dims(value: Any) -> str:
    dims = value.type.tensor_type.shape.dim
    return ", ".join(str(d.dim_value) if d.dim_value > 0 else d.dim_param or "?" for d in dims)
