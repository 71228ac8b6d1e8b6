"""A log: MetaSchedule's database of schedules and ``trials.csv``, in one folder."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rivulet.kernels import Kernel
from rivulet.records.files import (
    FILES,
    RECORDS,
    TRIALS,
    WORKLOADS,
    finish_replacement,
    replace_together,
)
from rivulet.records.loading import find_unloadable
from rivulet.records.mend import mend_trial_table, warn
from rivulet.records.recover import mark_unloadable, mend_database, scan_database
from rivulet.records.trials import HEADER, Trial, append_trials, read_trials, rows_text
from rivulet.tvm_compat import load_tvm

__all__ = ["FILES", "RECORDS", "TRIALS", "WORKLOADS", "Trial", "TuningLog"]


class TuningLog:
    """A log folder, opened for reading and appending.

    A damaged file is mended first: what cannot be used is set aside beside it, with one warning
    for each file, and the rest is used.

    Args:
        folder: The log's folder; made when it is not there.
        logger: Told what was set aside.
    """

    def __init__(self, folder: Path, logger: logging.Logger | None = None) -> None:
        load_tvm()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        finish_replacement(folder)
        self.database, aside = _open_database(folder)
        warn(folder, aside, logger)
        mend_trial_table(folder, logger)
        self.trials = read_trials(folder / TRIALS)

    @classmethod
    def resume(cls, folder: Path, logger: logging.Logger) -> TuningLog:
        """Open the log of an interrupted search to go on with it.

        A log in which every trial failed has nothing to go on from: its cause was outside the
        schedules, and its trials would only use up the budget. It is set aside.
        """
        log = cls(folder, logger)
        if log.trials and all(trial.error for trial in log.trials):
            aside = folder / f"failed-{len(list(folder.glob('failed-*'))) + 1}"
            aside.mkdir()
            for name in FILES:
                if (folder / name).exists():
                    (folder / name).rename(aside / name)
            logger.warning("every trial of the interrupted search failed; set aside in %s", aside)
            return cls(folder, logger)
        return log

    def append(self, trials: Sequence[Trial]) -> None:
        """Append rows to ``trials.csv``, after the schedules that they tell of are on disk.

        Rows go on from the last number in the file, also where rows before it were lost.
        """
        for name in (WORKLOADS, RECORDS):
            if (self.folder / name).exists():
                with (self.folder / name).open("rb") as stream:
                    os.fsync(stream.fileno())
        last = max((trial.trial for trial in self.trials), default=0)
        rows = [replace(trial, trial=last + n) for n, trial in enumerate(trials, 1)]
        append_trials(self.folder / TRIALS, rows)
        self.trials += rows

    def forget(self, count: int) -> None:
        """Take the last rows out of ``trials.csv``, of an answer that was cut off."""
        self.trials = self.trials[: len(self.trials) - count]
        replace_together(
            self.folder, {TRIALS: [f"{HEADER}\n".encode(), rows_text(self.trials).encode()]}
        )

    def commit(
        self, kernel: Kernel, trace: Any, seconds: float, target: Any, arguments: Any
    ) -> None:
        """Add a measured schedule of a kernel to the database.

        The database ranks by the mean of what it is given; it is given the median alone, so
        that one disturbed sample does not decide. All samples are in ``trials.csv``.

        Args:
            kernel: The kernel.
            trace: Trace of the schedule.
            seconds: Median latency.
            target: TVM target.
            arguments: The scheduled kernel's ``ArgInfo`` list, weights as packed.
        """
        from tvm.s_tir import meta_schedule as ms

        workload = self.database.commit_workload(kernel.module)
        record = ms.database.TuningRecord(trace, workload, [seconds], target, arguments)
        self.database.commit_tuning_record(record)

    def best_records(self, kernel: Kernel, count: int) -> list[Any]:
        """The kernel's best valid records, fastest first; empty when it has none."""
        if not self.database.has_workload(kernel.module):
            return []
        workload = self.database.commit_workload(kernel.module)
        return [r for r in self.database.get_top_k(workload, count) if r.run_secs]

    def best_modules(self, kernels: Iterable[Kernel]) -> dict[str, Any]:
        """The best scheduled module of each kernel that has a valid record, by task name."""
        return {
            kernel.task: records[0].as_measure_candidate().sch.mod
            for kernel in kernels
            if (records := self.best_records(kernel, 1))
        }

    def elapsed(self) -> float:
        """Seconds of measuring time that the log holds."""
        return max((trial.elapsed_s for trial in self.trials), default=0.0)


def _open_database(folder: Path) -> tuple[Any, dict[str, int]]:
    """The database, mended if need be, and how many lines of each file were set aside."""
    from tvm.s_tir import meta_schedule as ms

    aside = Counter(mend_database(scan_database(folder)))
    try:
        return ms.database.JSONDatabase(work_dir=str(folder)), aside
    except Exception:
        scan = scan_database(folder)
        mark_unloadable(scan, *find_unloadable(scan))
        aside.update(mend_database(scan))
        return ms.database.JSONDatabase(work_dir=str(folder)), aside


def record_latency(record: Any) -> float:
    """Latency of a tuning record in seconds, as the database ranks it."""
    seconds = [float(s) for s in record.run_secs]
    return sum(seconds) / len(seconds)
