"""What an ONNX file takes and gives, and whether it is one whose kernels can be tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError
from rivulet.models.fixed_shapes import fix_shapes
from rivulet.models.input_ranges import with_ranges
from rivulet.models.onnx_files import external_files, names_read
from rivulet.models.precision import precision_of

_DEFAULT_DOMAINS = ("", "ai.onnx")
_DTYPES = (
    "float32", "float16", "float64", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
)  # fmt: skip
_LONGEST_REASON = 300


def check_onnx(path: Path) -> dict[str, Any]:
    """Check an ONNX file's structure and return what its record says of it.

    Returns:
        ``inputs`` (as `rivulet.models.inputs` takes them), ``outputs``, ``opset``,
        ``batch_norms`` and ``precision``.

    Raises:
        UserError: It is not valid, or has an input or output of another kind than a tensor, or an
            input of no fixed shape.
    """
    model = read_graph(path)
    fix_shapes(model, None, path)
    check_valid(path, path)
    return describe(model)


def read_graph(source: Path) -> Any:
    """A file's graph without the weights beside it, once it is known to be of a kind that works.

    Raises:
        UserError: It is no ONNX file, weights are missing, or it is of no such kind.
    """
    import onnx

    try:
        model = onnx.load(str(source), load_external_data=False)
    except Exception as error:
        raise _invalid(source, error) from error
    for file in external_files(source):
        if not file.is_file():
            raise UserError(
                f"{source}: its weights are in {file}, which is not there; put that file beside "
                "it, or export the model anew"
            )
    domains = [entry.domain for entry in model.opset_import]
    if domains and not any(domain in _DEFAULT_DOMAINS for domain in domains):
        raise UserError(
            f"{source}: has operators of {', '.join(sorted(set(domains)))} only; nothing but "
            "ONNX's own (the domain '') can be tuned, so export the model with those"
        )
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            _check_kind(kind, value, source)
    return model


def check_valid(path: Path, source: Path) -> None:
    """Refuse what the ONNX checker refuses.

    Args:
        path: File to check; a model of more than 2 GB has to be read from there.
        source: The user's file, for error lines.
    """
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        raise _invalid(source, error) from error


def describe(model: Any) -> dict[str, Any]:
    """Facts of a model with fixed input shapes; as `check_onnx` returns them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [_described(value) for value in model.graph.input if value.name not in weights]
    return {
        "inputs": with_ranges(model, inputs),
        "outputs": [value.name for value in model.graph.output],
        "opset": max(e.version for e in model.opset_import if e.domain in _DEFAULT_DOMAINS),
        "batch_norms": sum(node.op_type == "BatchNormalization" for node in model.graph.node),
        "precision": precision_of(model),
    }


def depending_outputs(model: Any) -> set[str]:
    """Outputs that an input has a way to; others are constants."""
    weights = {tensor.name for tensor in model.graph.initializer}
    reached = {value.name for value in model.graph.input} - weights
    for node in model.graph.node:  # in an order in which they can run
        if reached & set(names_read(node)):
            reached |= set(node.output)
    return {value.name for value in model.graph.output} & reached


def _described(value: Any) -> dict[str, Any]:
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return {"name": value.name, "shape": shape, "dtype": _dtype(value)}


def _dtype(value: Any) -> str:
    import onnx

    number = value.type.tensor_type.elem_type
    if number == onnx.TensorProto.STRING:  # numpy has objects for them
        return "string"
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)))


def _check_kind(what: str, value: Any, source: Path) -> None:
    kind = value.type.WhichOneof("value")
    if kind not in (None, "tensor_type"):
        raise UserError(
            f"{source}: {what} '{value.name}' is {_article(kind.removesuffix('_type'))}; only "
            "tensors can be tuned, so export the model with tensors for it"
        )
    known = kind is not None and value.type.tensor_type.elem_type != 0
    if what == "input" and known and _dtype(value) not in _DTYPES:
        raise UserError(
            f"{source}: input '{value.name}' is {_dtype(value)}; it may be one of "
            f"{', '.join(_DTYPES)}, so convert it within the model or export it with another"
        )


def _article(kind: str) -> str:
    noun = kind.replace("_", " ")
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _invalid(source: Path, error: Exception) -> UserError:
    # The checker tells the node and its operator on lines of their own.
    reason = " ".join(str(error).split()) or type(error).__name__
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]} ..."
    return UserError(f"{source}: not a valid ONNX model: {reason}")
