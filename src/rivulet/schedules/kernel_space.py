"""The space around a kernel's schedule: its decisions as axes, and points as schedules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rivulet.kernels import Kernel
from rivulet.schedules.axes import Axis, OrderedAxis, Space, TileAxis, Values
from rivulet.schedules.points import Point, Structure, Value, apply_point
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import (
    CATEGORICAL,
    INLINE,
    LOCATION,
    ROOT,
    TILE,
    Decision,
    Postprocessing,
    ReplayFailure,
    categories,
    decisions,
)

_LIMITS = tuple((2**n,) for n in range(11))
_DEEPEST = 24  # loops around a block, at most
_REMEMBERED = 1024
_SEED = 1  # nothing is left to sampling


@dataclass(frozen=True)
class Applied:
    """A point, applied to the kernel.

    Attributes:
        schedule: The scheduled kernel; None where the point is no valid schedule.
        name: Structural hash of the scheduled kernel; empty without.
        reason: Why there is none.
    """

    schedule: Any = None
    name: str = ""
    reason: str = ""


class KernelSpace:
    """All schedules that differ from one in its decisions only.

    The axes are the trace's sampling decisions and the limits that its annotations set: tile
    splits; unroll extents and other categories by their value, which on GPUs are the sizes of
    thread blocks and of vector loads too; parallel and vector limits by powers of two; compute
    locations from the root over the loops, outermost first, to inlining.

    Args:
        kernel: The kernel.
        trace: Trace of the schedule.
        postprocessing: Of the kernel and the target.
        threads: Threads for applying points; no kernel runs meanwhile.

    Attributes:
        structure: What all of its schedules have in common, open in what the axes change.
        space: The axes.
        start: Where the schedule lies.
    """

    def __init__(
        self, kernel: Kernel, trace: Any, postprocessing: Postprocessing, threads: int
    ) -> None:
        self._kernel, self._trace, self._postprocessing = kernel, trace, postprocessing
        self._threads = threads
        found = [(d, axis) for d in decisions(trace) if (axis := self._axis(d)) is not None]
        self.structure = Structure(trace, tuple(decision for decision, _ in found))
        self.space = Space(tuple(axis for _, axis in found))
        self.start: Values = tuple(one.value for one in self.structure.decisions)
        self._applied: OrderedDict[Values, Applied] = OrderedDict()

    def apply(self, points: Sequence[Values]) -> list[Applied]:
        """Apply points to the kernel, several at a time."""
        missing = [point for point in dict.fromkeys(points) if point not in self._applied]
        if missing:
            with ThreadPoolExecutor(self._threads) as pool:
                self._applied.update(zip(missing, pool.map(self._apply, missing), strict=True))
        found = [self._applied[point] for point in points]
        while len(self._applied) > _REMEMBERED:
            self._applied.popitem(last=False)
        return found

    def _apply(self, point: Values) -> Applied:
        try:
            schedule = apply_point(
                self._kernel.module, self._postprocessing, Point(self.structure, point), _SEED
            )
        except ReplayFailure as failure:
            return Applied(reason=str(failure))
        return Applied(schedule, candidate_name(schedule.mod))

    def _axis(self, decision: Decision) -> Axis | None:
        """The axis of a decision; None where it has but one value."""
        if decision.kind == TILE:
            return TileAxis(decision.innermost_limit) if max(decision.value) > 1 else None
        values = self._values(decision)
        return OrderedAxis(values) if len(values) > 1 else None

    def _values(self, decision: Decision) -> tuple[Value, ...]:
        """All values in their natural order, the present one among them."""
        if decision.kind == CATEGORICAL:
            extents = categories(self._trace, decision.index)
            order = sorted(range(len(extents)), key=extents.__getitem__)
            return tuple((place,) for place in order)
        if decision.kind == LOCATION:
            return ((ROOT,), *((loop,) for loop in range(_DEEPEST)), (INLINE,))
        return tuple(sorted({*_LIMITS, decision.value}))
