"""What a finished log amounts to."""

from __future__ import annotations

from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.kernel import covered_flops
from rivulet.records.best import best_of_workloads
from rivulet.records.stored import StoredLog


def log_facts(kernels: list[Kernel], log: StoredLog, strategy: str) -> dict[str, Any]:
    """Facts of a log for its record.

    Args:
        kernels: The model's kernels.
        log: The log.
        strategy: Strategy whose trials count as measured candidates; repeated measurements of
            known ones go by other names.
    """
    found = best_of_workloads(log)
    best = {k.task: found[k.workload][0] for k in kernels if k.workload in found}
    own = [trial for trial in log.trials if trial.strategy == strategy]
    model = sum(k.weight * best[k.task] for k in kernels if k.task in best)
    return {
        "search_seconds": round(max((t.elapsed_s for t in log.trials), default=0.0), 3),
        "trials_measured": len(own),
        "trials_failed": sum(bool(trial.error) for trial in own),
        "kernels_total": len(kernels),
        "kernels_covered": len(best),
        "flops_covered": round(covered_flops(kernels, set(best)), 6),
        "kernel_latency_sum_ms": round(model * 1e3, 6),
    }
