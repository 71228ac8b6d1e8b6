"""The space that a search of one kernel draws from: sampled, mutated and crossed points."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from typing import Any

from rivulet.errors import last_line
from rivulet.schedules.points import (
    Point,
    Structure,
    Value,
    apply_point,
    read_structure,
    sampled_decisions,
)
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.schedules.thread_tiles import ThreadTiles
from rivulet.schedules.tiles import neighbour_splits
from rivulet.tvm_compat.spaces import tune_context
from rivulet.tvm_compat.traces import CATEGORICAL, LOCATION, Decision, Postprocessing

# Unrolled loops longer than this leave the instruction cache and keep LLVM busy for seconds.
_LONG_UNROLL = 64
_LONG_UNROLL_WEIGHT = 0.1
# A mutation changes one decision, or two of them with this probability, and so on.
_FURTHER_CHANGE = 0.3
_NEW_TILE = 0.2


class NoDesignSpace(Exception):
    """MetaSchedule makes no sketch of a kernel, which therefore keeps its default loops."""


class DesignSpace:
    """The points that a search of one kernel draws from.

    Args:
        module: The kernel's unscheduled module.
        traces: Traces of the sketches that MetaSchedule's space generator made.
        postprocessing: `rivulet.tvm_compat.traces.Postprocessing` of the kernel.
        tiles: Limits of the register tiles; None for TVM's own space, all splits alike.
    """

    def __init__(
        self, module: Any, traces: list[Any], postprocessing: Any, tiles: RegisterTiles | None
    ) -> None:
        self._module, self._postprocessing, self._tiles = module, postprocessing, tiles
        self._structures: dict[str, Structure] = {}
        found = [self._structure(trace) for trace in traces]
        # A tiled sketch of a kernel that is too small for a warp has no schedule at all.
        self._sketches = [one for one in found if _launchable(one)] or found

    @property
    def sketches(self) -> list[Structure]:
        """Structures of the sketches that the space is made of."""
        return list(self._sketches)

    @property
    def tiles(self) -> RegisterTiles | None:
        """Limits of the register tiles; None where all splits are alike."""
        return self._tiles

    def structure_of(self, trace: Any) -> Structure:
        """The structure that a trace has."""
        return self._structure(trace)

    def sample(self, rng: random.Random) -> Point:
        """A point at random."""
        structure = rng.choice(self._sketches)
        values: list[Value | None] = [None] * len(structure.decisions)
        for spatial, limits in structure.bound():
            self._sample_threads(structure, spatial, limits, values, rng=rng)
        if self._tiles is not None:
            for spatial, reduction in self._tileable(structure):
                self._sample_tiles(structure, spatial, reduction, values, rng=rng)
                for position, choices in structure.unrolls.items():
                    values[position] = (_sample_unroll(choices, rng),)
        return Point(structure, tuple(values))

    def point_of(self, trace: Any) -> Point:
        """The point that a trace with decisions stands for."""
        return Point(self._structure(trace), tuple(d.value for d in sampled_decisions(trace)))

    def mutate(self, point: Point, rng: random.Random) -> Point:
        """A point near another one: one decision changed by a step, now and then several.

        Its register tile may leave the limits of the space by no step, nor its thread block those
        of the target.
        """
        values = list(point.values)
        while True:
            self._change(point.structure, values, rng)
            if rng.random() >= _FURTHER_CHANGE:
                break
        return Point(point.structure, tuple(values))

    def cross(self, first: Point, second: Point, rng: random.Random) -> Point | None:
        """A point with each decision from one of two parents; None when they do not match.

        The tiles of a block are inherited together: alone they need not make a register tile.
        """
        structure = first.structure
        if structure is not second.structure:
            return None
        values = list(first.values)
        together = [(*spatial, *reduction) for spatial, reduction in structure.blocks]
        alone = set(range(len(values))) - {p for group in together for p in group}
        for group in [*together, *((p,) for p in sorted(alone))]:
            if rng.random() < 0.5:
                for position in group:
                    values[position] = second.values[position]
        return Point(structure, tuple(values))

    def schedule(self, point: Point, seed: int) -> Any:
        """Apply a point to the kernel.

        Args:
            point: The point.
            seed: Seed for what it leaves to TVM.

        Raises:
            ReplayFailure: The point is no valid schedule of the kernel.
        """
        return apply_point(self._module, self._postprocessing, point, seed)

    def _structure(self, trace: Any) -> Structure:
        text = _without_decisions(trace)
        if text not in self._structures:
            self._structures[text] = read_structure(trace)
        return self._structures[text]

    def _tileable(self, structure: Structure) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The blocks whose tiles have room for more than one accumulator."""
        for spatial, reduction in structure.blocks:
            if len(spatial) > 1:
                yield spatial, reduction

    def _sample_tiles(
        self,
        structure: Structure,
        spatial: tuple[int, ...],
        reduction: tuple[int, ...],
        values: list[Value | None],
        *,
        rng: random.Random,
    ) -> None:
        assert self._tiles is not None
        extents = [_extent(structure.decisions[p]) for p in spatial]
        for position, split in zip(spatial, self._tiles.sample_spatial(extents, rng), strict=True):
            values[position] = split
        for position in reduction:
            extent = _extent(structure.decisions[position])
            values[position] = self._tiles.sample_reduction(extent, rng)

    def _sample_threads(
        self,
        structure: Structure,
        spatial: tuple[int, ...],
        limits: ThreadTiles,
        values: list[Value | None],
        *,
        rng: random.Random,
    ) -> None:
        extents = [_extent(structure.decisions[p]) for p in spatial]
        innermost = [structure.decisions[p].innermost_limit for p in spatial]
        splits = limits.sample(extents, innermost, rng)
        for position, split in zip(spatial, splits, strict=True):
            values[position] = split

    def _change(self, structure: Structure, values: list[Value | None], rng: random.Random) -> None:
        """Change one decision in place; leave it as it is where the change is not allowed."""
        if not values:
            return
        position = rng.randrange(len(values))
        decision, value = structure.decisions[position], values[position]
        if decision.kind == LOCATION:
            values[position] = None
        elif decision.kind == CATEGORICAL:
            values[position] = (rng.randrange(decision.categories),)
        elif value is not None:
            block = next((b for b in self._tileable(structure) if position in b[0]), None)
            if block and self._tiles and rng.random() < _NEW_TILE:
                self._sample_tiles(structure, block[0], (), values, rng=rng)
                return
            bound = next(((b, t) for b, t in structure.bound() if position in b), None)
            if bound and rng.random() < _NEW_TILE:
                self._sample_threads(structure, *bound, values, rng=rng)
                return
            # A limit of a replayed record may be another than that of this space.
            steps = neighbour_splits(value, decision.innermost_limit)
            if not steps:
                return
            values[position] = rng.choice(steps)
            if block and self._tiles and not self._admitted(block[0], values):
                values[position] = value
            if bound and not bound[1].admits([values[p] for p in bound[0]]):
                values[position] = value

    def _admitted(self, spatial: tuple[int, ...], values: list[Value | None]) -> bool:
        assert self._tiles is not None
        chosen = [v for p in spatial if (v := values[p]) is not None]
        return len(chosen) == len(spatial) and self._tiles.admits(chosen)


def _extent(decision: Decision) -> int:
    return math.prod(decision.value)


def _launchable(structure: Structure) -> bool:
    return all(
        limits.possible([_extent(structure.decisions[p]) for p in spatial])
        for spatial, limits in structure.bound()
    )


def _sample_unroll(choices: list[int], rng: random.Random) -> int:
    weights = [1.0 if steps <= _LONG_UNROLL else _LONG_UNROLL_WEIGHT for steps in choices]
    return rng.choices(range(len(choices)), weights)[0]


def _without_decisions(trace: Any) -> str:
    """The trace as text, its decisions and its postprocessing left out."""
    lines = []
    for line in trace.as_python():
        if "enter_postproc" in line:
            break
        lines.append(re.sub(r", decision=.*\)$", ")", line))
    return "\n".join(lines)


def open_design_space(
    module: Any, target: Any, tiles: RegisterTiles | None, threads: int, *, seed: int
) -> tuple[Any, DesignSpace]:
    """The design space of a kernel, of the sketches that MetaSchedule makes for a target.

    Args:
        module: The kernel's unscheduled module.
        target: TVM target.
        tiles: Limits of the register tiles; None for TVM's own space.
        threads: Threads of the context.
        seed: Seed of the context, from 1.

    Returns:
        The ``TuneContext``, which describes schedules for a cost model, and the space.

    Raises:
        NoDesignSpace: MetaSchedule's rules do not apply to the kernel.
    """
    try:
        context = tune_context(module, target, threads, seed)
        traces = [schedule.trace for schedule in context.generate_design_space()]
    except MemoryError:
        raise
    except Exception as error:  # TVM's own, of no common kind
        raise NoDesignSpace(f"MetaSchedule makes no sketch of it: {last_line(error)}") from error
    if not traces:
        raise NoDesignSpace("MetaSchedule makes no sketch of it")
    return context, DesignSpace(module, traces, Postprocessing(module, target), tiles)
