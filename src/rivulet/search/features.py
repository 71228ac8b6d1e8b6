"""What the cost model sees of a schedule."""

from __future__ import annotations

from typing import Any

from rivulet.search.cost_model import Features, summarise


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
