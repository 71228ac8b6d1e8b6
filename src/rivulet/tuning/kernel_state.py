"""How far a kernel has come; no TVM, no hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

DIRECT = "direct"


@dataclass
class Alternative:
    """One formulation of a kernel: another way to compute the same.

    Attributes:
        name: Name of the formulation.
        best: Seconds of its fastest schedule; infinite while none ran.
    """

    name: str = DIRECT
    best: float = math.inf


@dataclass
class KernelState:
    """How far a kernel has come, whatever strategy works on it.

    Attributes:
        weight: How often the model runs it.
        alternatives: Its formulations, of which the fastest counts.
        history: Best latency in seconds after each round; infinite while nothing ran.
        exhausted: No new candidate can be proposed any more.
    """

    weight: int
    alternatives: list[Alternative] = field(default_factory=lambda: [Alternative()])
    history: list[float] = field(default_factory=list)
    exhausted: bool = False

    @property
    def best(self) -> float:
        """Best latency so far, in seconds."""
        return min(one.best for one in self.alternatives)

    def improve(self, seconds: float, alternative: int = 0) -> None:
        """Note the latency of a candidate."""
        one = self.alternatives[alternative]
        one.best = min(one.best, seconds)

    def reckon(self, seconds: float, alternative: int = 0) -> None:
        """Set the latency, where it is not the least that was measured."""
        self.alternatives[alternative].best = seconds
