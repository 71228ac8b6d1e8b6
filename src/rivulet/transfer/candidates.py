"""The schedules that may be tried on a kernel of the target, most promising first."""

from __future__ import annotations

import heapq
import logging
import math
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.structure import CONTRACTION, KernelStructure, kernel_structure
from rivulet.schedules.design_space import (
    DesignSpace,
    NoDesignSpace,
    open_design_space,
)
from rivulet.schedules.points import Point
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.transfer.mapping import AS_IS, Lent, map_schedule
from rivulet.transfer.matching import EXACT, Match, match_kernels
from rivulet.transfer.sources import Source, SourceKernel
from rivulet.tuning.cost_model import Features
from rivulet.tuning.features import describe_schedules
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import ReplayFailure

# In the order in which schedules are tried, a schedule of half the speed counts as much as extents
# that differ by two to the power of this; and each further one of a kernel as much as by e to this,
# because several of one kernel are often alike.
_SPEED_WEIGHT = 2.0
_RANK_STEP = 0.35
_SEED = 1
# Schedules of its own that a light kernel gets where no source has any: there is little to decide.
_OWN = 2
SAMPLED = "sampled"


@dataclass(frozen=True)
class Candidate:
    """A source schedule on its way to a target kernel, or one of the kernel's own.

    Attributes:
        match: Source kernel, and how it is related; None for a schedule of the kernel's own.
        rank: Place of the record among that kernel's, from 0.
        how: How its tiles were carried over, see `rivulet.transfer.mapping`, or `SAMPLED`.
        point: Where it lies in the target kernel's design space.
        schedule: The scheduled target kernel; None until it was applied.
        name: Structural hash of the scheduled kernel.
        features: What the cost model sees of it.
        reason: Why it cannot be applied.
    """

    match: Match | None
    rank: int
    how: str
    point: Point
    schedule: Any = None
    name: str = ""
    features: Features | None = None
    reason: str = ""


class KernelCandidates:
    """The schedules of the sources that may be tried on a kernel, made when they are asked for.

    Args:
        kernel: The target kernel.
        sources: Where schedules come from.
        target: TVM target.
        tiles: Register tiles of the hardware; None where the space has no limits.
        per_source_kernel: Records taken of one source kernel, at most.
        lent: Schedules taken apart so far, shared by all kernels.
        threads: Threads for applying schedules; no kernel runs meanwhile.
        logger: Told of schedules that do not apply.

    Attributes:
        ready: Those that apply, the most promising by their match first.
        fallen: Those that do not, each with its reason.
        spaceless: Why the kernel has no design space to try any in; empty where it has one.
    """

    def __init__(
        self,
        kernel: Kernel,
        sources: Sequence[Source],
        target: Any,
        tiles: RegisterTiles | None,
        *,
        per_source_kernel: int,
        lent: dict[int, Lent],
        threads: int,
        logger: logging.Logger,
    ) -> None:
        self._kernel, self._sources, self._threads, self._logger = kernel, sources, threads, logger
        self._per_source_kernel, self._lent = per_source_kernel, lent
        self._structure = kernel_structure(kernel.module)
        self._context: Any = None
        self._space: DesignSpace | None = None
        self._matches: list[Match] = []
        self.spaceless = ""
        try:
            self._context, self._space = open_design_space(
                kernel.module, target, tiles, threads, seed=_SEED
            )
            self._matches = match_kernels(kernel.workload, self._structure, sources)
        except NoDesignSpace as reason:
            self.spaceless = str(reason)
        self._points = self._promising() if self._matches else self._own()
        self._names: set[str] = set()
        self.ready: list[Candidate] = []
        self.fallen: list[Candidate] = []

    @property
    def reason(self) -> str:
        """Why there is no candidate; empty when there is one, or some were not tried yet."""
        if self.spaceless:
            return self.spaceless
        if not self._matches and not self.ready:
            return _why_none(self._structure, self._sources)
        if self.fallen and not self.ready:
            return f"no schedule of the source applies: {self.fallen[0].reason}"
        return ""

    def extend(self, count: int) -> None:
        """Apply the most promising schedules until ``count`` are ready or none is left."""
        while len(self.ready) < count:
            share = list(islice(self._points, count - len(self.ready)))
            if not share or self._space is None:
                break
            for one in _apply_all(share, self._space, self._threads):
                self._place(one)

    def describe(self) -> None:
        """Give features to the candidates that have none."""
        bare = [place for place, one in enumerate(self.ready) if one.features is None]
        found = describe_schedules([self.ready[place].schedule for place in bare], self._context)
        for place, features in zip(bare, found, strict=True):
            self.ready[place] = replace(self.ready[place], features=features)

    def _place(self, one: Candidate) -> None:
        if one.reason:
            lender = "its own space"
            if one.match is not None:
                lender = f"{one.match.kernel.source} {one.match.kernel.task}"
            self._logger.info("%s from %s: %s", self._kernel.task, lender, one.reason)
        elif one.name in self._names:
            one = replace(one, reason="the same code as another candidate")
        self._names.add(one.name)
        (self.fallen if one.reason else self.ready).append(one)

    def _promising(self) -> Iterator[Candidate]:
        """Points that stand for a source's schedule, the most promising first, each once."""
        numbers = count()
        waiting: list[tuple[bool, float, int, Match, int, Candidate | None]] = []
        fastest = max((m.kernel.speed(0) for m in self._matches if m.kernel.timed), default=0.0)
        for match in self._matches:
            for rank in range(min(self._per_source_kernel, len(match.kernel.records))):
                # Another device's times cannot be compared; its order of schedules remains.
                speed = match.kernel.speed(rank) if match.kernel.timed else 0.0
                lost = math.log(fastest / speed) if speed else 0.0
                order = match.order + _SPEED_WEIGHT * lost + _RANK_STEP * rank
                item = (match.kind != EXACT, order, next(numbers), match, rank, None)
                heapq.heappush(waiting, item)
        seen = set()
        while waiting:
            inexact, order, _, match, rank, one = heapq.heappop(waiting)
            if one is not None:
                key = (id(one.point.structure), one.point.values)
                if key not in seen:
                    seen.add(key)
                    yield one
                continue
            for variant, (how, point) in enumerate(self._mapped(match, rank)):
                made = Candidate(match, rank, how, point)
                later = order + _RANK_STEP * variant
                heapq.heappush(waiting, (inexact, later, next(numbers), match, rank, made))

    def _own(self) -> Iterator[Candidate]:
        """Points of a light kernel's own space, where there are sources and none has its like.

        Concatenations and copies are in few models. Their default loops run on one core and cost
        a model more than all that a transfer wins, while nearly any schedule is near the best.
        """
        given = any(source.kernels for source in self._sources)
        if self._space is None or not given or self._structure.family == CONTRACTION:
            return
        rng = random.Random(_SEED)
        for number in range(_OWN):
            yield Candidate(None, number, SAMPLED, self._space.sample(rng))

    def _mapped(self, match: Match, rank: int) -> list[tuple[str, Point]]:
        assert self._space is not None
        record = match.kernel.records[rank]
        if match.kind == EXACT:
            return [(AS_IS, self._space.point_of(record.trace))]
        if id(record) not in self._lent:
            self._lent[id(record)] = Lent.of(record.trace)
        source = match.kernel.structure.anchor
        return map_schedule(self._lent[id(record)], source, self._space, self._structure.anchor)


def _apply_all(points: list[Candidate], space: DesignSpace, threads: int) -> list[Candidate]:
    def apply(one: Candidate) -> Candidate:
        try:
            schedule = space.schedule(one.point, _SEED)
        except ReplayFailure as failure:
            return replace(one, reason=str(failure))
        return replace(one, schedule=schedule, name=candidate_name(schedule.mod))

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(apply, points))


def _why_none(structure: KernelStructure, sources: Sequence[Source]) -> str:
    kernels: list[SourceKernel] = [kernel for source in sources for kernel in source.kernels]
    names = ", ".join(source.name for source in sources)
    if not kernels:
        return f"the log of {names} has no schedule"
    return f"the log of {names} has no schedule of a kernel of this family ({structure.family})"
