"""Which kernels of a source may lend their schedules to a kernel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rivulet.kernels.structure import BlockStructure, KernelStructure
from rivulet.transfer.mapping import align_axes
from rivulet.transfer.sources import Source, SourceKernel

EXACT, SAME_CLASS, SAME_ANCHOR, RELATED, OWN, DEFAULT = (
    "exact", "class", "anchor", "related", "own", "default",
)  # fmt: skip
# Best first; each step is worth about as much as extents that differ by this factor.
KINDS = (EXACT, SAME_CLASS, SAME_ANCHOR, RELATED)
_STEP = math.log(1.5)


@dataclass(frozen=True)
class Match:
    """A source kernel that may lend its schedules.

    Attributes:
        kernel: The source kernel.
        kind: ``exact`` (the same workload), ``class`` (the same operations on other shapes),
            ``anchor`` (the same main operation with others fused to it), or ``related`` (a main
            operation of the same family with other loops, such as a depthwise convolution).
        distance: 0 for the same loops, see `loop_distance`.
    """

    kernel: SourceKernel
    kind: str
    distance: float

    @property
    def order(self) -> float:
        """How far the two kernels are apart, kind included; smaller is more promising."""
        return self.distance + _STEP * KINDS.index(self.kind)


def match_kernels(
    workload: str, structure: KernelStructure, sources: Iterable[Source]
) -> list[Match]:
    """All source kernels that may lend their schedules, most promising first."""
    found = []
    for source in sources:
        for kernel in source.kernels:
            kind = match_kind(workload, structure, kernel.workload, kernel.structure)
            if kind is not None:
                distance = loop_distance(kernel.structure.anchor, structure.anchor)
                found.append(Match(kernel, kind, distance))
    return sorted(found, key=lambda m: (m.kind != EXACT, m.order, m.kernel.source, m.kernel.task))


def match_kind(
    workload: str, structure: KernelStructure, other_workload: str, other: KernelStructure
) -> str | None:
    """How two kernels are related; None when a schedule of one says nothing about the other."""
    if workload == other_workload:
        return EXACT
    if structure.signature == other.signature:
        return SAME_CLASS
    if structure.anchor.signature == other.anchor.signature:
        return SAME_ANCHOR
    return RELATED if structure.family == other.family else None


def loop_distance(source: BlockStructure, target: BlockStructure) -> float:
    """Sum of the absolute log ratios of the extents of corresponding loops of two blocks.

    A loop without a counterpart counts with its whole extent.
    """
    return sum(
        _distance(ours, theirs)
        for ours, theirs in (
            (source.spatial, target.spatial),
            (source.reduction, target.reduction),
        )
    )


def _distance(source: Sequence[int], target: Sequence[int]) -> float:
    aligned = align_axes(source, target)
    total = sum(
        abs(math.log(extent / (source[axis] if axis is not None else 1)))
        for axis, extent in zip(aligned, target, strict=True)
    )
    unused = set(range(len(source))) - {axis for axis in aligned if axis is not None}
    return total + sum(math.log(source[axis]) for axis in unused)
