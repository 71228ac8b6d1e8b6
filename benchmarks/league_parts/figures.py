"""What a league's matches say: ratios with intervals, and the last line."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from league_parts.match import LEFT, Match
from league_parts.settings import ORT, PEERS
from rivulet.benchmark.estimates import Estimate, Sampling, estimate_latency, estimate_ratio
from rivulet.measure.ratios import Ratio
from rivulet.methods import ANSOR, DROPLET


@dataclass(frozen=True)
class Standing:
    """One model's figures.

    Attributes:
        model: Its name.
        ours: Which of our methods stands for us: droplet, or Ansor where droplet has no samples;
            empty where neither has.
        latencies: Method to its latency in milliseconds.
        ratios: Peer to our latency over its own; below 1 we are faster.
        sum_to_model: Our latency over the sum of its kernels' alone; None where unknown.
        failures: Method to the reason why it has no latency.
        complaints: Why the figures are to be read with care.
        graph: How many kernels of each kind of `LEFT` are left.
    """

    model: str
    ours: str
    latencies: dict[str, Estimate]
    ratios: dict[str, Ratio]
    sum_to_model: float | None
    failures: dict[str, str]
    complaints: list[str]
    graph: Mapping[str, int] = field(default_factory=dict)

    @property
    def best_peer(self) -> str:
        """The fastest of the others; empty where none has a latency."""
        there = [peer for peer in PEERS if peer in self.latencies]
        return min(there, key=lambda peer: self.latencies[peer].value, default="")

    @property
    def vs_ort(self) -> Ratio | None:
        """Our latency over ONNX Runtime's."""
        return self.ratios.get(ORT)

    @property
    def vs_best_peer(self) -> Ratio | None:
        """Our latency over the fastest peer's."""
        return self.ratios.get(self.best_peer)


def standing(match: Match, sampling: Sampling) -> Standing:
    """The figures of one match."""
    groups = {name: found for name, found in match.groups.items() if found}
    ours = next((method for method in (DROPLET, ANSOR) if method in groups), "")
    latencies = {name: estimate_latency(found, sampling) for name, found in groups.items()}
    ratios = {}
    for peer in PEERS:
        if ours and _both(groups[ours], groups.get(peer, [])):
            ratios[peer] = estimate_ratio(groups[ours], groups[peer], sampling)
    return Standing(
        match.model, ours, latencies, ratios,
        match.sum_to_model, match.failures, match.complaints, match.graph,
    )  # fmt: skip


def _both(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> bool:
    return any(a and b for a, b in zip(ours, theirs, strict=False))


def summary(standings: Sequence[Standing], failed: Mapping[str, str]) -> dict[str, Any]:
    """The last line: figures over all models, ratios being ours over theirs.

    Args:
        standings: Of the models that were measured.
        failed: Model to the reason why there is nothing of it.
    """
    runtime = {one.model: one.vs_ort.value for one in standings if one.vs_ort}
    peer = [one.vs_best_peer.value for one in standings if one.vs_best_peer]
    sums = [one.sum_to_model for one in standings if one.sum_to_model]
    worst = max(runtime, key=lambda name: runtime[name], default=None)
    return {
        "geomean_vs_ort": geomean(runtime.values()),
        "worst_vs_ort": None if worst is None else [worst, round(runtime[worst], 4)],
        "geomean_vs_best_peer": geomean(peer),
        "slower_than_ort": [name for name, value in runtime.items() if value > 1],
        "models": len(runtime),
        **{kind: sum(one.graph[kind] for one in standings) for kind in LEFT},
        "sum_to_model": geomean(sums),
        "failed": sorted({*failed, *(one.model for one in standings if not one.vs_ort)}),
    }


def geomean(values: Any) -> float | None:
    """Geometric mean, rounded; None of nothing."""
    logs = [math.log(value) for value in values]
    return round(math.exp(statistics.fmean(logs)), 4) if logs else None
