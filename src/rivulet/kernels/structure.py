"""What a kernel computes, read from its loops and not from its names.

TVM names a kernel after the operations fused into it and after a counter, and names blocks after
variables of the imported graph; neither says whether a schedule of one kernel fits another. The
kinds of a block's loops and the form of what it computes do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

SPATIAL, REDUCTION = "S", "R"
_KINDS = {0: SPATIAL, 2: REDUCTION}
CONTRACTION, REDUCING, ELEMENTWISE = "contraction", "reduction", "elementwise"


@dataclass(frozen=True)
class BlockStructure:
    """One block of a kernel.

    Attributes:
        axes: Kind of each of its loops, outermost first: ``S`` spatial, ``R`` reduction.
        form: What it stores, with every buffer, index and constant left out.
        extents: Extent of each loop.
    """

    axes: str
    form: str
    extents: tuple[int, ...]

    @property
    def spatial(self) -> tuple[int, ...]:
        """Extents of the spatial loops."""
        return tuple(n for n, kind in zip(self.extents, self.axes, strict=True) if kind == SPATIAL)

    @property
    def reduction(self) -> tuple[int, ...]:
        """Extents of the reduction loops."""
        return tuple(
            n for n, kind in zip(self.extents, self.axes, strict=True) if kind == REDUCTION
        )

    @property
    def signature(self) -> str:
        """Equal for blocks that differ in extents and indices only."""
        return f"{self.axes}:{self.form}"

    @property
    def work(self) -> int:
        """Points of the iteration space."""
        return math.prod(self.extents)


@dataclass(frozen=True)
class KernelStructure:
    """All blocks of a kernel, in order."""

    blocks: tuple[BlockStructure, ...]

    @cached_property
    def anchor(self) -> BlockStructure:
        """The block that decides the loops: the reduction with most work, or else the last."""
        reductions = [block for block in self.blocks if REDUCTION in block.axes]
        return max(reductions, key=lambda b: b.work) if reductions else self.blocks[-1]

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """Equal for the same sequence of operations, on whatever shapes."""
        return tuple(block.signature for block in self.blocks)

    @property
    def family(self) -> str:
        """``contraction`` (sums of products), ``reduction`` or ``elementwise``."""
        if REDUCTION not in self.anchor.axes:
            return ELEMENTWISE
        return CONTRACTION if "Mul(load,load)" in self.anchor.form else REDUCING


def kernel_structure(module: Any) -> KernelStructure:
    """Read the structure of an unscheduled kernel.

    Args:
        module: ``IRModule`` with the function ``main``.
    """
    from tvm.s_tir import Schedule

    schedule = Schedule(module, debug_mask=0, error_render_level="fast")
    blocks = [
        schedule.get(block) for block in schedule.get_child_blocks(schedule.get_sblock("root"))
    ]
    return KernelStructure(tuple(_block(block) for block in blocks))


def _block(block: Any) -> BlockStructure:
    variables = block.iter_vars
    return BlockStructure(
        axes="".join(_KINDS.get(int(v.iter_type), "O") for v in variables),
        form=_stored(block.body),
        extents=tuple(_extent(v.dom.extent) for v in variables),
    )


def _extent(extent: Any) -> int:
    try:
        return int(extent)
    except (TypeError, ValueError):
        return 1  # not known before the kernel runs


def _stored(statement: Any) -> str:
    """Form of a statement: the values that it stores, whatever loops and scopes are around."""
    value = getattr(statement, "value", None)
    if value is not None and type(statement).__name__ == "BufferStore":
        return _form(value)
    inner = [getattr(statement, name, None) for name in ("body", "then_case", "else_case")]
    parts = [*getattr(statement, "seq", ()), *(part for part in inner if part is not None)]
    return f"{type(statement).__name__}({','.join(_stored(part) for part in parts)})"


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
