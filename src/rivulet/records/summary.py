"""What a finished log amounts to."""

from __future__ import annotations

from typing import Any

from rivulet.kernels import Kernel
from rivulet.kernels.kernel import covered_flops
from rivulet.records.log import TuningLog, record_latency


def log_facts(kernels: list[Kernel], log: TuningLog, strategy: str) -> dict[str, Any]:
    """Facts of a log for its record.

    Args:
        kernels: The model's kernels.
        log: The log.
        strategy: Strategy whose trials count as measured candidates; repeated measurements of
            known ones go by other names.
    """
    best = {k.task: records[0] for k in kernels if (records := log.best_records(k, 1))}
    own = [trial for trial in log.trials if trial.strategy == strategy]
    model = sum(k.weight * record_latency(best[k.task]) for k in kernels if k.task in best)
    return {
        "search_seconds": round(log.elapsed(), 3),
        "trials_measured": len(own),
        "trials_failed": sum(bool(trial.error) for trial in own),
        "kernels_total": len(kernels),
        "kernels_covered": len(best),
        "flops_covered": round(covered_flops(kernels, set(best)), 6),
        "kernel_latency_sum_ms": round(model * 1e3, 6),
    }
