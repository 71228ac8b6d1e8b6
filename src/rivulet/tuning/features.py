"""What the cost model sees of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rivulet.tuning.cost_model import CostModel, Features, summarise


def describe_schedules(schedules: list[Any], context: Any) -> list[Features]:
    """One vector of features for each schedule, from TVM's features of each store.

    Args:
        schedules: Postprocessed schedules, ``tvm.s_tir.Schedule`` each.
        context: A ``TuneContext`` with the target; its threads share the work.
    """
    from tvm.s_tir.meta_schedule import MeasureCandidate
    from tvm.s_tir.meta_schedule.feature_extractor import PerStoreFeature

    if not schedules:
        return []
    candidates = [MeasureCandidate(schedule, []) for schedule in schedules]
    found = PerStoreFeature().extract_from(context, candidates)
    return [summarise(stores.numpy()) for stores in found]


def learn_records(
    name: str, records: Sequence[Any], cost_model: CostModel, context: Any, *, threads: int
) -> None:
    """Teach a cost model the records of one kernel.

    Args:
        name: Name of the kernel.
        records: Its records, of which the latencies compare.
        cost_model: The model.
        context: A ``TuneContext`` with the target.
        threads: Threads for applying schedules.
    """
    with ThreadPoolExecutor(threads) as pool:
        schedules = list(pool.map(_replayed, records))
    ran = [(s, r) for s, r in zip(schedules, records, strict=True) if s is not None]
    cost_model.add(
        name,
        describe_schedules([schedule for schedule, _ in ran], context),
        [float(record.run_secs[0]) for _, record in ran],
    )


def _replayed(record: Any) -> Any:
    try:
        return record.as_measure_candidate().sch
    except Exception:  # a record that TVM cannot replay teaches nothing
        return None
