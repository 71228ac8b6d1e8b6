"""Which kernels the transfers have covered, by pair and by class."""

from __future__ import annotations

import statistics
from typing import Any

from rivulet.report.grouping import grouped
from rivulet.report.inputs import KernelOutcome, Setting, TransferTable, flops_share

_MOST_DETAILS = 60  # pairs of which each is shown class by class, though every kernel is covered


def coverage_of(setting: Setting, tables: list[TransferTable]) -> dict[str, Any]:
    """The section's tables for one setting: by pair, by class, and what is not covered.

    Args:
        setting: Hardware, trials and log.
        tables: Its transfers.
    """
    tables = sorted(tables, key=lambda t: (t.target, t.source))
    return {
        "setting": setting,
        "tables": [
            {
                "table": table,
                "count": _counts(table.kernels),
                "classes": _classes(table.kernels),
                "detailed": len(tables) <= _MOST_DETAILS
                or not all(k.covered for k in table.kernels),
                "uncovered": [
                    {"kernel": k, "flops": flops_share(table.kernels, [k])}
                    for k in table.kernels
                    if not k.covered
                ],
            }
            for table in tables
        ],
        "classes": _classes([kernel for table in tables for kernel in table.kernels]),
    }


def _classes(kernels: list[KernelOutcome]) -> list[dict[str, Any]]:
    groups = grouped(kernels, lambda k: k.kernel_class)
    found = [{"name": name, **_counts(group)} for name, group in groups]
    return sorted(found, key=lambda c: (-c["kernels"], c["name"]))


def _counts(kernels: list[KernelOutcome]) -> dict[str, Any]:
    speedups = [k.speedup for k in kernels if k.covered and k.speedup is not None]
    return {
        "kernels": len(kernels),
        "covered": sum(k.covered for k in kernels),
        "adopted": sum(k.adopted for k in kernels),
        "tried": sum(k.tried for k in kernels),
        "speedup": statistics.median(speedups) if speedups else None,
    }
