"""Which source is likely to serve a target best, told before anything is measured."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rivulet.kernels.structure import KernelStructure
from rivulet.tables import write_table
from rivulet.transfer.matching import KINDS, loop_distance, match_kind

# Share of its speed that a schedule loses on other loops, for each e-fold of an extent, and for
# each step from the same workload to a related one; and what each doubling of the number of
# schedules to choose from gains.
_LOSS_PER_DISTANCE = 0.06
_LOSS_PER_KIND = 0.1
_LOSS_OF_A_SINGLE_SCHEDULE = 0.3
# Loops without a schedule run at about this share of the speed of tuned ones.
_UNTUNED_SHARE = 0.01


@dataclass(frozen=True)
class KnownKernel:
    """What is known of a kernel without measuring.

    Attributes:
        workload: Structural hash of the computation.
        structure: What it computes.
        flops: Floating-point operations of one run.
        weight: How often its model runs it.
        seconds: Best latency in its own model's log; infinite for none.
        schedules: Number of valid schedules in that log.
        timed: Whether that log's times are this device's. Where they are not, its schedules are
            expected to be as fast as is usual for kernels of their family.
    """

    workload: str
    structure: KernelStructure
    flops: float
    weight: int
    seconds: float = math.inf
    schedules: int = 0
    timed: bool = True


@dataclass(frozen=True)
class Ranked:
    """A source for a target, as ``ranking.csv`` has it.

    Attributes:
        log: Kind of the sources' log.
        trials: Its trial count.
        target: The target.
        source: The source.
        place: 1 for the source with the largest expected benefit.
        expected_share: Expected speed of the target's kernels with this source's schedules, as
            a share of the fastest that any source has for kernels of their family.
        flops_matched: Share of the target's FLOPs in kernels that a schedule may fit.
        paper_place: Place by the heuristic of the transfer-tuning paper.
        paper_score: Its score: sum over classes of share of the untuned time times square root
            of the number of the source's schedules.
    """

    log: str
    trials: int
    target: str
    source: str
    place: int
    expected_share: float
    flops_matched: float
    paper_place: int
    paper_score: float


def rank_sources(
    log: str,
    trials: int,
    target: str,
    kernels: Sequence[KnownKernel],
    *,
    sources: Mapping[str, Sequence[KnownKernel]],
) -> list[Ranked]:
    """Sources of a target by expected benefit.

    Args:
        log: Kind of the sources' logs.
        trials: Their trial count.
        target: Name of the target.
        kernels: Its kernels.
        sources: Name of each source to its kernels.
    """
    usual = _usual(k for many in sources.values() for k in many)
    sources = {name: [_with_time(k, usual) for k in many] for name, many in sources.items()}
    fastest = _fastest(k for many in sources.values() for k in many)
    scores = {
        name: (
            expected_share(kernels, many, fastest),
            _matched(kernels, many),
            paper_score(kernels, many),
        )
        for name, many in sources.items()
    }
    order = sorted(scores, key=lambda name: (-scores[name][0], name))
    paper = sorted(scores, key=lambda name: (-scores[name][2], name))
    return [
        Ranked(
            log, trials, target, name, place, round(scores[name][0], 4),
            round(scores[name][1], 4), paper.index(name) + 1, round(scores[name][2], 4),
        )
        for place, name in enumerate(order, 1)
    ]  # fmt: skip


def expected_share(
    kernels: Sequence[KnownKernel], source: Sequence[KnownKernel], fastest: dict[str, float]
) -> float:
    """Expected speed of a target with a source's schedules, relative to ideal ones.

    A kernel is expected to run as fast as the source's most promising kernel, in FLOP/s, less
    what its schedules lose on other loops; one without a partner runs as if unscheduled.

    Args:
        kernels: The target's kernels.
        source: The source's kernels.
        fastest: Ideal FLOP/s of each family.
    """
    ideal = expected = 0.0
    for kernel in kernels:
        best = fastest.get(kernel.structure.family, 0.0)
        if not kernel.flops or not best:
            continue
        speeds = [_expected_speed(kernel, one) for one in source]
        speed = max([*speeds, _UNTUNED_SHARE * best])
        ideal += kernel.weight * kernel.flops / best
        expected += kernel.weight * kernel.flops / speed
    return ideal / expected if expected else 0.0


def paper_score(kernels: Sequence[KnownKernel], source: Sequence[KnownKernel]) -> float:
    """Heuristic of Gibson and Cano (PACT 2022): classes' time times root of their schedules.

    Unscheduled loops of all kernels run at about the same FLOP/s, so that the share of the
    untuned time is taken to be the share of the FLOPs: nothing has been measured yet.
    """
    total = sum(k.flops * k.weight for k in kernels)
    shares: dict[tuple[str, ...], float] = defaultdict(float)
    for kernel in kernels:
        shares[kernel.structure.signature] += kernel.flops * kernel.weight / total if total else 0.0
    lenders = Counter(k.structure.signature for k in source if math.isfinite(k.seconds))
    return sum(share * math.sqrt(lenders[operations]) for operations, share in shares.items())


def write_ranking(rows: Iterable[Ranked], path: Path) -> None:
    """Write the table."""
    write_table(Ranked, rows, path)


def _expected_speed(kernel: KnownKernel, lender: KnownKernel) -> float:
    if not math.isfinite(lender.seconds) or not lender.schedules:
        return 0.0
    kind = match_kind(kernel.workload, kernel.structure, lender.workload, lender.structure)
    if kind is None:
        return 0.0
    distance = loop_distance(lender.structure.anchor, kernel.structure.anchor)
    kept = (1 - _LOSS_PER_KIND) ** KINDS.index(kind) * math.exp(-_LOSS_PER_DISTANCE * distance)
    choice = 1 - _LOSS_OF_A_SINGLE_SCHEDULE / math.sqrt(lender.schedules)
    return lender.flops / lender.seconds * kept * choice


def _usual(kernels: Iterable[KnownKernel]) -> dict[str, float]:
    """Family to the median of its kernels' FLOP/s."""
    speeds: dict[str, list[float]] = defaultdict(list)
    for kernel in kernels:
        if kernel.timed and math.isfinite(kernel.seconds):
            speeds[kernel.structure.family].append(kernel.flops / kernel.seconds)
    return {family: statistics.median(many) for family, many in speeds.items()}


def _with_time(kernel: KnownKernel, usual: dict[str, float]) -> KnownKernel:
    if kernel.timed:
        return kernel
    speed = usual.get(kernel.structure.family, 0.0)
    return replace(kernel, seconds=kernel.flops / speed if speed else math.inf)


def _fastest(kernels: Iterable[KnownKernel]) -> dict[str, float]:
    best: dict[str, float] = {}
    for kernel in kernels:
        if math.isfinite(kernel.seconds):
            speed = kernel.flops / kernel.seconds
            best[kernel.structure.family] = max(speed, best.get(kernel.structure.family, 0.0))
    return best


def _matched(kernels: Sequence[KnownKernel], source: Sequence[KnownKernel]) -> float:
    total = sum(k.flops * k.weight for k in kernels)
    matched = sum(
        kernel.flops * kernel.weight
        for kernel in kernels
        if any(_expected_speed(kernel, one) > 0 for one in source)
    )
    return matched / total if total else 0.0
