"""How much of a target's work a source has kernels for, told from kernels alone, without a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rivulet.tables import write_table
from rivulet.transfer.ranking import KnownKernel, rank_sources

# So many that a choice of few, which the ranking marks down, is none here.
_ENOUGH = 10**12


@dataclass(frozen=True)
class Similar:
    """A source of a target, as ``similarity.csv`` has it.

    Attributes:
        target: The target.
        source: The source.
        place: 1 for the source whose kernels are most like the target's.
        similarity: Speed to expect of the target's kernels if schedules of all the sources'
            kernels were equally fast on their own loops, as a share of that.
        flops_same: Share of the target's FLOPs in kernels that the source has, too.
        flops_matched: Share of the target's FLOPs in kernels that a schedule may fit.
    """

    target: str
    source: str
    place: int
    similarity: float
    flops_same: float
    flops_matched: float


def compare_sources(
    targets: Mapping[str, Sequence[KnownKernel]], library: Mapping[str, Sequence[KnownKernel]]
) -> list[Similar]:
    """Sources of every target, those with the most similar kernels first.

    It is the ranking before a transfer, with all schedules taken to be equally fast: no search
    has told yet which are.

    Args:
        targets: Models to their kernels; each is a source of the others.
        library: Logs from elsewhere to their kernels, which are sources only.
    """
    sources = {name: _alike(kernels) for name, kernels in {**targets, **library}.items()}
    rows = []
    for target in targets:
        kernels = sources[target]
        others = {name: known for name, known in sources.items() if name != target}
        for row in rank_sources("", 0, target, kernels, sources=others):
            same = _same(kernels, {one.workload for one in sources[row.source]})
            rows.append(
                Similar(
                    target, row.source, row.place, row.expected_share, round(same, 4),
                    row.flops_matched,
                )
            )  # fmt: skip
    return rows


def write_similarity(rows: Iterable[Similar], path: Path) -> None:
    """Write the table."""
    write_table(Similar, rows, path)


def _alike(kernels: Sequence[KnownKernel]) -> list[KnownKernel]:
    """Kernels with schedules enough, which all run at one FLOP per second."""
    return [
        replace(one, seconds=max(one.flops, 1.0), schedules=_ENOUGH, timed=True) for one in kernels
    ]


def _same(kernels: Sequence[KnownKernel], workloads: set[str]) -> float:
    total = sum(one.flops * one.weight for one in kernels)
    same = sum(one.flops * one.weight for one in kernels if one.workload in workloads)
    return same / total if total else 0.0
