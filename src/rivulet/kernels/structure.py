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

from rivulet.tvm_compat.blocks import REDUCTION, SPATIAL, axis_extents, axis_kinds, stored_form

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
    return BlockStructure(axis_kinds(block), stored_form(block.body), axis_extents(block))
