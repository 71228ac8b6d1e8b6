"""Proposals for one kernel by evolutionary search over MetaSchedule's design space."""

from __future__ import annotations

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rivulet.kernels import Kernel
from rivulet.schedules.design_space import DesignSpace, open_design_space
from rivulet.schedules.points import Point
from rivulet.schedules.register_tiles import RegisterTiles
from rivulet.search.settings import SearchSettings
from rivulet.tuning.candidate import Candidate
from rivulet.tuning.cost_model import CostModel, Features
from rivulet.tuning.features import describe_schedules
from rivulet.tvm_compat.names import candidate_name
from rivulet.tvm_compat.traces import ReplayFailure

# Measured schedules that children descend from, fastest first.
_PARENTS = 16
# Share of a population that does not descend from measured schedules, so that the search does
# not settle around the first good one.
_FRESH = 0.25
_CROSSED = 0.15
# A population short of new members is filled up this often before the space counts as exhausted.
_PATIENCE = 6
_LARGEST_SEED = 2**30
# Records that the cost model is trained on when a search is continued; applying and describing
# one again takes about 15 ms.
RELEARNED = 512


@dataclass(frozen=True)
class Proposal(Candidate):
    """A candidate as the search made it.

    Attributes:
        point: Its place in the design space.
        features: What the cost model sees of it; None until it is asked.
    """

    point: Point | None = None
    features: Features | None = None


class EvolutionaryProposer:
    """Proposes schedules of one kernel and learns from their measurements.

    Ansor's evolutionary search (Zheng et al., OSDI 2020, section 5) over the sketches of
    MetaSchedule's space generator. New members are points, values of the trace's decisions, and
    cost nothing; only those that enter a population are applied to the kernel, checked by the
    target's own postprocessors and described by TVM's features for the cost model.

    Args:
        place: Place of the kernel in its session.
        kernel: The kernel.
        target: TVM target.
        settings: See there.
        tiles: Register tiles of the hardware; None for MetaSchedule's whole space.
        cost_model: Shared by all kernels of the model.
        threads: Threads for applying schedules; no kernel runs meanwhile.
        seed: Seed of this kernel's proposals.
    """

    def __init__(
        self,
        place: int,
        kernel: Kernel,
        target: Any,
        settings: SearchSettings,
        *,
        tiles: RegisterTiles | None,
        cost_model: CostModel,
        threads: int,
        seed: int,
    ) -> None:
        self.place, self.kernel = place, kernel
        self._settings, self._target, self._tiles = settings, target, tiles
        self._cost_model, self._threads = cost_model, threads
        self._random = random.Random(seed)
        self._measured: list[tuple[float, Point]] = []
        self._tried: set[tuple[Any, ...]] = set()
        self._opened: tuple[Any, DesignSpace] | None = None

    def propose(self, count: int, first: bool, known: set[str]) -> list[Proposal]:
        """Up to ``count`` new candidates, best predicted first; none when the space is exhausted.

        Args:
            count: How many are wanted.
            first: It is the kernel's first round: with nothing measured there is nothing to
                evolve from, so candidates are sampled, which is much faster.
            known: Names of candidates that were measured before; they are left out.
        """
        if first or not self._measured:
            return self._materialise(self._sampled(), count, known)
        population = max(count, self._settings.population)
        members = self._describe(self._materialise(self._children([]), population, known))
        for _ in range(self._settings.generations - 1):
            elite = self._ranked(members)[: max(1, population // 2)]
            seen = known | {member.name for member in members}
            more = self._materialise(self._children(elite), population // 2, seen)
            members = elite + self._describe(more)
        return self._pick(self._ranked(members), count)

    def learn(self, proposals: list[Proposal], latencies: list[float | None]) -> None:
        """Learn what became of proposals (seconds; None: failed)."""
        described = self._describe(proposals)
        features = [p.features for p in described if p.features is not None]
        seconds = [latency if latency is not None else float("inf") for latency in latencies]
        self._cost_model.add(self.kernel.task, features, seconds)
        for proposal, latency in zip(proposals, latencies, strict=True):
            if latency is not None and proposal.point is not None:
                self._remember(latency, proposal.point)

    def relearn(self, records: list[Any], count: int) -> None:
        """Take up records of an earlier run: all as parents, the fastest for the cost model.

        Args:
            records: The kernel's tuning records, fastest first.
            count: How many of them the cost model learns: the fastest half of them, and others
                evenly spread over the rest.
        """
        space = self._open()[1]
        learned = set(_spread(len(records), count))
        proposals, seconds = [], []
        for index, record in enumerate(records):
            latency = float(np.mean([float(s) for s in record.run_secs]))
            point = space.point_of(record.trace)
            self._tried.add(_key(point))
            self._remember(latency, point)
            if index in learned:
                made = self._make((point, 1))
                if made is not None:
                    proposals.append(made)
                    seconds.append(latency)
        described = self._describe(proposals)
        features = [p.features for p in described if p.features is not None]
        self._cost_model.add(self.kernel.task, features, seconds)

    def _sampled(self) -> Iterable[Point]:
        space = self._open()[1]
        while True:
            yield space.sample(self._random)

    def _children(self, elite: list[Proposal]) -> Iterable[Point]:
        """Endless new points, from the fastest measured and the best predicted."""
        space = self._open()[1]
        parents = [point for _, point in self._measured[:_PARENTS]]
        parents += [one.point for one in elite if one.point is not None]
        mutates = self._settings.mutation_probability
        while True:
            draw = self._random.random()
            # Squaring the draw favours the faster parents.
            parent = parents[int(self._random.random() ** 2 * len(parents))]
            if draw < _FRESH:
                yield space.sample(self._random)
            elif draw < _FRESH + _CROSSED:
                crossed = space.cross(parent, self._random.choice(parents), self._random)
                if crossed is not None:
                    yield crossed
            elif self._random.random() < mutates:
                yield space.mutate(parent, self._random)

    def _materialise(self, points: Iterable[Point], count: int, known: set[str]) -> list[Proposal]:
        """Apply new points until there are ``count`` new schedules or patience ends."""
        proposals: dict[str, Proposal] = {}
        stream = iter(points)
        with ThreadPoolExecutor(self._threads) as threads:
            for _ in range(_PATIENCE):
                batch = self._untried(stream, count - len(proposals))
                for made in threads.map(self._make, batch):
                    if made is not None and made.name not in known:
                        proposals.setdefault(made.name, made)
                if len(proposals) >= count:
                    break
        return list(proposals.values())

    def _untried(self, stream: Iterable[Point], count: int) -> list[tuple[Point, int]]:
        """Points that were not tried yet, each with a seed for what it leaves open."""
        chosen: list[tuple[Point, int]] = []
        for _, point in zip(range(count * _PATIENCE), stream, strict=False):
            key = _key(point)
            if None in point.values or key not in self._tried:
                self._tried.add(key)
                chosen.append((point, self._random.randrange(1, _LARGEST_SEED)))
            if len(chosen) == count:
                break
        return chosen

    def _make(self, member: tuple[Point, int]) -> Proposal | None:
        space = self._open()[1]
        try:
            schedule = space.schedule(*member)
        except ReplayFailure:
            return None
        return Proposal(
            self.place, schedule, candidate_name(schedule.mod),
            point=space.point_of(schedule.trace),
        )  # fmt: skip

    def _describe(self, proposals: list[Proposal]) -> list[Proposal]:
        """The same with features."""
        missing = [p for p in proposals if p.features is None]
        found = describe_schedules([p.schedule for p in missing], self._open()[0])
        features = {p.name: one for p, one in zip(missing, found, strict=True)}
        return [
            p if p.features is not None else replace(p, features=features[p.name])
            for p in proposals
        ]

    def _ranked(self, members: list[Proposal]) -> list[Proposal]:
        """Members by their predicted speed, fastest first."""
        scores = self._cost_model.predict([m.features for m in members if m.features is not None])
        return [members[i] for i in np.argsort(-scores, kind="stable")]

    def _pick(self, ranked: list[Proposal], count: int) -> list[Proposal]:
        """The best predicted, and a share of the batch at random from the others."""
        count = min(count, len(ranked))
        share = self._settings.random_share
        lucky = min(len(ranked) - count, max(1, round(share * count)) if share > 0 else 0)
        best, rest = ranked[: count - lucky], ranked[count - lucky :]
        return best + self._random.sample(rest, lucky)

    def _remember(self, latency: float, point: Point) -> None:
        self._measured.append((latency, point))
        self._measured.sort(key=lambda pair: pair[0])
        del self._measured[4 * _PARENTS :]

    def _open(self) -> tuple[Any, DesignSpace]:
        """Context and design space, made when they are first needed."""
        if self._opened is None:
            self._opened = open_design_space(
                self.kernel.module, self._target, self._tiles, self._threads,
                seed=self._random.randrange(1, _LARGEST_SEED),
            )  # fmt: skip
        return self._opened


def _key(point: Point) -> tuple[Any, ...]:
    return (id(point.structure), point.values)


def _spread(total: int, count: int) -> list[int]:
    """The first half of ``count`` positions in a row, the others evenly over the rest."""
    if total <= count:
        return list(range(total))
    first = count // 2
    rest = np.linspace(first, total - 1, count - first).round().astype(int)
    return [*range(first), *(int(i) for i in rest)]
