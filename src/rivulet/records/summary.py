"""What a finished log amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.kernel import covered_flops
from rivulet.records.best import best_of_workloads
from rivulet.records.log import TuningLog, record_latency
from rivulet.records.stored import StoredLog
from rivulet.records.trials import Trial


def log_facts(kernels: list[Kernel], log: TuningLog, strategy: str) -> dict[str, Any]:
    """Facts of a log for its record.

    Args:
        kernels: The model's kernels.
        log: The log.
        strategy: Strategy whose trials count as measured candidates; repeated measurements of
            known ones go by other names.
    """
    best = {
        k.task: record_latency(records[0]) for k in kernels if (records := log.best_records(k, 1))
    }
    return _facts(kernels, best, log.trials, strategy)


def stored_log_facts(kernels: list[Kernel], log: StoredLog, strategy: str) -> dict[str, Any]:
    """The same of a log as it lies on disk, which a large one takes much less time for."""
    found = best_of_workloads(log)
    best = {k.task: found[k.workload][0] for k in kernels if k.workload in found}
    return _facts(kernels, best, log.trials, strategy)


def _facts(
    kernels: list[Kernel], best: dict[str, float], trials: Sequence[Trial], strategy: str
) -> dict[str, Any]:
    own = [trial for trial in trials if trial.strategy == strategy]
    model = sum(k.weight * best[k.task] for k in kernels if k.task in best)
    return {
        "search_seconds": round(max((t.elapsed_s for t in trials), default=0.0), 3),
        "trials_measured": len(own),
        "trials_failed": sum(bool(trial.error) for trial in own),
        "kernels_total": len(kernels),
        "kernels_covered": len(best),
        "flops_covered": round(covered_flops(kernels, set(best)), 6),
        "kernel_latency_sum_ms": round(model * 1e3, 6),
    }
