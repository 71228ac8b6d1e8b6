"""What a block of TVM's loops is, of which TVM's Python names only a part.

Kinds of loops are numbers there, and what a statement or a value is, its class alone tells.
"""

from __future__ import annotations

from typing import Any

from rivulet.tvm_compat.startup import load_tvm

SPATIAL, REDUCTION, OTHER = "S", "R", "O"
_KINDS = {0: SPATIAL, 2: REDUCTION}


def axis_kinds(block: Any) -> str:
    """Kind of each loop of a block, outermost first: ``S`` spatial, ``R`` reduction, else ``O``."""
    return "".join(_KINDS.get(int(one.iter_type), OTHER) for one in block.iter_vars)


def axis_extents(block: Any) -> tuple[int, ...]:
    """Extent of each of a block's loops; 1 for one that is not known before the kernel runs."""
    return tuple(_extent(one.dom.extent) for one in block.iter_vars)


def called_operators(block: Any) -> list[str]:
    """Names of the functions that a block's values call, conditions left out."""
    import tvm_ffi

    found = []

    def look(call: Any) -> None:
        if call.op.name != "tirx.if_then_else":
            found.append(call.op.name)

    tvm_ffi.structural_walk(block.body, [(load_tvm().ir.Call, look)], order="post")
    return found


def stored_form(statement: Any) -> str:
    """The values that a statement stores, with every buffer, index and constant left out.

    Args:
        statement: A block's body; whatever loops and scopes are around a value are in it, too.
    """
    value = getattr(statement, "value", None)
    if value is not None and type(statement).__name__ == "BufferStore":
        return _form(value)
    inner = [getattr(statement, name, None) for name in ("body", "then_case", "else_case")]
    parts = [*getattr(statement, "seq", ()), *(part for part in inner if part is not None)]
    return f"{type(statement).__name__}({','.join(stored_form(part) for part in parts)})"


def _extent(extent: Any) -> int:
    try:
        return int(extent)
    except (TypeError, ValueError):
        return 1  # not known before the kernel runs


def _form(value: Any) -> str:
    name = type(value).__name__
    if name in ("BufferLoad", "TensorLoad"):
        return "load"
    if name in ("IntImm", "FloatImm"):
        return "constant"
    if name == "Var":
        return "index"
    if hasattr(value, "args"):
        # Conditions are about indices, and so about shapes.
        operation = getattr(value.op, "name", "call")
        parts = list(value.args)[1:] if operation.endswith("if_then_else") else value.args
        return f"{operation}({','.join(map(_form, parts))})"
    if name == "Select":
        return f"Select({_form(value.true_value)},{_form(value.false_value)})"
    if hasattr(value, "a") and hasattr(value, "b"):
        return f"{name}({_form(value.a)},{_form(value.b)})"
    if hasattr(value, "value"):
        return f"{name}({_form(value.value)})"
    return name
