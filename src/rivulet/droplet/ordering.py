"""Which schedules of a neighbourhood are promising, by what was measured of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivulet.droplet.source import SourceKernel
from rivulet.tuning.cost_model import BoostedTrees
from rivulet.tuning.features import describe_schedules, learn_records


class ScheduleOrder:
    """Scores schedules by a cost model that has learned a log and learns on.

    Args:
        source: What the log has of each kernel.
        target: TVM target.
        seed: Seed of the training.
        threads: Threads for applying and describing schedules; no kernel runs meanwhile.
    """

    def __init__(
        self, source: Mapping[str, SourceKernel], target: Any, seed: int, threads: int
    ) -> None:
        from tvm.s_tir import meta_schedule as ms

        self._model = BoostedTrees(seed, threads)
        # Describing needs no more of a context than its target and its threads.
        self._context = ms.TuneContext(target=target, num_threads=threads)
        for task, kernel in source.items():
            learn_records(task, kernel.records, self._model, self._context, threads=threads)

    def scores(self, schedules: Sequence[Any]) -> list[float]:
        """Score of each schedule; a higher one is expected to be faster."""
        features = describe_schedules(list(schedules), self._context)
        return [float(score) for score in self._model.predict(features)]

    def learn(self, task: str, schedules: Sequence[Any], seconds: Sequence[float]) -> None:
        """Learn measurements of a kernel (seconds; infinite for what failed)."""
        features = describe_schedules(list(schedules), self._context)
        self._model.add(task, features, list(seconds))
