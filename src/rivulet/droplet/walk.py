"""Where a descent stands and which points it looks at next; no hardware, no TVM."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rivulet.schedules.axes import Space, Step, Values

Order = Callable[[Sequence[Values]], Sequence[float]]
"""How promising points are; higher is tried earlier."""

# A direction is taken to help where a step along it looked faster by this much (a logarithm).
_HELPED = 0.01
# The longest leap along a direction that has helped, in unit steps.
_LONGEST = 8


@dataclass(frozen=True)
class Proposal:
    """A point to look at.

    Attributes:
        point: The point.
        steps: How the incumbent gets there.
    """

    point: Values
    steps: tuple[Step, ...]


@dataclass
class _Looked:
    """How a point looked: the mean logarithm of its latency over the incumbent's."""

    proposal: Proposal
    mean: float = 0.0
    samples: int = 0

    def add(self, look: float, samples: int) -> None:
        total = self.samples + samples
        self.mean = (self.mean * self.samples + look * samples) / total if self.samples else look
        self.samples = total


class Walk:
    """Coordinate descent from one starting point.

    The incumbent's neighbourhood is all points one unit step away, and those where two tile splits
    exchange a factor. Before it come the leads: once a step has won, the same step again and longer
    ones (momentum), and the step together with others that looked faster from the same incumbent;
    and along a direction that looks faster, leaps of twice the length as long as they look faster
    still (speculation). When the neighbourhood is used up, whoever drives the walk looks again at
    what was near the incumbent; all steps that then look a little faster are tried at once, because
    what none of them can show alone they may show together.

    Args:
        space: The space.
        start: The starting point.
        rng: Order of what is equally promising.

    Attributes:
        point: The incumbent.
        moves: How often it has moved.
    """

    def __init__(self, space: Space, start: Values, rng: random.Random) -> None:
        self._space, self._rng = space, rng
        self.point, self.moves = start, 0
        self._visited = {start}
        self._leads: list[tuple[Step, ...]] = []
        self._units: list[tuple[Step, ...]] | None = None
        self._last: tuple[Step, ...] = ()
        self._length = 1
        # What was looked at from this incumbent, and how each direction looked wherever that was.
        self._looks: dict[tuple[Step, ...], _Looked] = {}
        self._slopes: dict[Step, float] = {}

    def propose(self, count: int, order: Order | None = None) -> list[Proposal]:
        """Up to ``count`` points that were not looked at yet; none at a local optimum.

        Args:
            count: How many are wanted.
            order: Sorts the neighbourhood, where something is known of it.
        """
        found: list[Proposal] = []
        for steps in self._stream(order):
            point = self._space.after(self.point, steps)
            if point is None or point in self._visited:
                continue
            self._visited.add(point)
            found.append(Proposal(point, steps))
            if len(found) == count:
                break
        return found

    def learn(self, proposal: Proposal, ratio: float, samples: int = 1) -> None:
        """Learn what a point looked like beside the incumbent.

        Looks are noisy; they order what comes next and accept nothing.

        Args:
            proposal: The point.
            ratio: Its latency over the incumbent's; infinite if it failed.
            samples: How many samples that is made of.
        """
        steps = proposal.steps
        new = steps not in self._looks
        look = self._looks.setdefault(steps, _Looked(proposal))
        look.add(math.log(ratio), samples)
        if len(steps) == 1:
            self._slopes[steps[0]] = look.mean
        if new and look.mean < self._best_along(steps) - _HELPED and 2 * len(steps) <= _LONGEST:
            self._leads.append(steps + steps)

    def _best_along(self, steps: tuple[Step, ...]) -> float:
        """The fastest look at a shorter leap along the same direction; infinite for a mixture."""
        if len(set(steps)) > 1:
            return -math.inf
        shorter = (steps[:n] for n in range(1, len(steps)))
        return min((self._looks[s].mean for s in shorter if s in self._looks), default=0.0)

    def go_on(self, proposal: Proposal) -> None:
        """Look beyond a step that leads to the incumbent's own code: a limit without effect.

        The same step once more takes its place in the neighbourhood.
        """
        steps = proposal.steps
        if len(set(steps)) == 1:
            self._leads.append((*steps, steps[0]))

    def near(self, margin: float, count: int) -> list[tuple[float, Proposal]]:
        """What looked at most ``margin`` slower than the incumbent (a logarithm), fastest first."""
        ranked = [self._looks[steps] for steps in self._faster(margin)][:count]
        return [(math.exp(look.mean), look.proposal) for look in ranked]

    def gather(self) -> None:
        """Make leads of all unit steps that look faster, and of the faster half of them."""
        slightly = self._apart([steps for steps in self._faster(0.0) if len(steps) == 1])
        half = slightly[: (len(slightly) + 1) // 2]
        self._leads += [_joined(some) for some in (slightly, half) if len(some) > 1]

    def move(self, proposal: Proposal) -> None:
        """Make a point the incumbent."""
        direction = tuple(dict.fromkeys(proposal.steps))
        self.point, self.moves = proposal.point, self.moves + 1
        self._length = min(_LONGEST, 2 * self._length) if direction == self._last else 1
        self._last = direction
        self._leads = [direction * n for n in range(self._length, 0, -1)]
        self._leads += self._together(direction)
        self._looks, self._units = {}, None

    def _stream(self, order: Order | None) -> Iterator[tuple[Step, ...]]:
        while self._leads:
            yield self._leads.pop(0)
        if self._units is None:
            self._units = self._ordered(order)
        while self._units:
            yield self._units.pop(0)

    def _ordered(self, order: Order | None) -> list[tuple[Step, ...]]:
        """The neighbourhood: by promise, or what helped elsewhere first and what did not last."""
        steps: list[tuple[Step, ...]] = [(step,) for step in self._space.steps(self.point)]
        steps += self._space.exchanges(self.point)
        self._rng.shuffle(steps)
        if order is not None:
            points = [self._space.after(self.point, one) for one in steps]
            scores = order([point for point in points if point is not None])
            ranked = sorted(zip(scores, range(len(steps)), steps, strict=True), reverse=True)
            return [one for _, _, one in ranked]
        return sorted(steps, key=lambda one: sum(self._slopes.get(step, 0.0) for step in one))

    def _together(self, won: tuple[Step, ...]) -> list[tuple[Step, ...]]:
        """Further steps that looked faster beside the one that has won, all at once and singly."""
        moved = {axis for axis, _ in won}
        others = self._apart(
            [s for s in self._faster(-_HELPED) if not moved & {axis for axis, _ in s}]
        )
        if not others:
            return []
        leads = [_joined(others), others[0]]
        return leads if len(others) > 1 else leads[1:]

    def _faster(self, below: float) -> list[tuple[Step, ...]]:
        """What looked faster from this incumbent, fastest first."""
        faster = [(look.mean, steps) for steps, look in self._looks.items() if look.mean < below]
        return [steps for _, steps in sorted(faster)]

    def _apart(self, ranked: Sequence[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
        """The best of them such that no two change the same axis."""
        taken: set[int] = set()
        chosen = []
        for steps in ranked:
            axes = {axis for axis, _ in steps}
            if not axes & taken:
                taken |= axes
                chosen.append(steps)
        return chosen


def _joined(several: Sequence[tuple[Step, ...]]) -> tuple[Step, ...]:
    return tuple(step for steps in several for step in steps)
