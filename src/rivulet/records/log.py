"""A log that grows: every trial, and the schedule of each that ran."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.kernels import Kernel
from rivulet.records.files import FILES, RECORDS, WORKLOADS, writing
from rivulet.records.imported import take_over
from rivulet.records.loading import load_database
from rivulet.records.scan import body_of, workload_of
from rivulet.records.schedules import Schedules, record_latency
from rivulet.records.storage import JOURNAL, NewRecord, open_storage
from rivulet.records.trials import Trial, cleaned
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.names import candidate_name, measured_schedule

__all__ = ["Trial", "TuningLog", "record_latency"]


@dataclass(frozen=True)
class _Staged:
    kernel: str
    candidate: str
    record: Any

    def named(self) -> tuple[str, str]:
        """Kernel and candidate; the schedule tells which it is, where nobody else has."""
        name = self.candidate or candidate_name(measured_schedule(self.record).mod)
        return self.kernel, name


class TuningLog(Schedules):
    """The log of a search, droplet search or transfer, opened to go on with it.

    It is one SQLite file, in which a batch is one transaction: a kill at any moment costs the
    batch in flight at most. The schedules are a database of TVM besides, whose files are
    temporary: that is what strategies ask, and what gives each record its JSON.

    Args:
        folder: The log's folder; made when it is not there.
        logger: Told of the log of an earlier version that is taken over.

    Raises:
        UserError: The log cannot be read or written.
    """

    def __init__(self, folder: Path, logger: logging.Logger | None = None) -> None:
        load_tvm()
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        take_over(folder, logger)
        self._view = Path(tempfile.mkdtemp(prefix="rivulet-log-"))
        weakref.finalize(self, shutil.rmtree, self._view, ignore_errors=True)
        with open_storage(folder / JOURNAL) as storage, writing(self._view):
            self.trials = storage.trials()
            (self._view / WORKLOADS).write_bytes(b"".join(storage.workloads()))
            (self._view / RECORDS).write_bytes(b"".join(storage.records()))
        super().__init__(load_database(self._view, logger))
        self._staged: list[_Staged] = []
        self._read = {WORKLOADS: 0, RECORDS: 0}  # bytes of the database's files
        self._workloads = self._new_lines(WORKLOADS)
        self._new_lines(RECORDS)

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
            for name in (*FILES, JOURNAL):
                if (folder / name).exists():
                    (folder / name).rename(aside / name)
            logger.warning("every trial of the interrupted search failed; set aside in %s", aside)
            return cls(folder, logger)
        return log

    def commit(
        self,
        kernel: Kernel,
        trace: Any,
        seconds: float,
        target: Any,
        *,
        arguments: Any,
        candidate: str = "",
    ) -> None:
        """Add a measured schedule of a kernel; the next `append` writes it, with its trial.

        The database ranks by the mean of what it is given; it is given the median alone, so
        that one disturbed sample does not decide. All samples are in the trial.

        Args:
            kernel: The kernel.
            trace: Trace of the schedule.
            seconds: Median latency.
            target: TVM target.
            arguments: The scheduled kernel's ``ArgInfo`` list, weights as packed.
            candidate: Structural hash of the scheduled kernel, as its trial has it; by default
                the schedule is applied once more to find it.
        """
        from tvm.s_tir import meta_schedule as ms

        workload = self.database.commit_workload(kernel.module)
        record = ms.database.TuningRecord(trace, workload, [seconds], target, arguments)
        self.database.commit_tuning_record(record)
        self._staged.append(_Staged(kernel.task, candidate, record))

    def append(self, trials: Sequence[Trial]) -> None:
        """Write trials, and the schedules that were added since, in one transaction.

        Trials are numbered on from the last one of the log.
        """
        last = max((trial.trial for trial in self.trials), default=0)
        rows = [cleaned(replace(trial, trial=last + n)) for n, trial in enumerate(trials, 1)]
        ran = {(row.kernel, row.candidate): n for n, row in enumerate(rows) if not row.error}
        owners = [ran.get(one.named()) if ran else None for one in self._staged]
        self._workloads += self._new_lines(WORKLOADS)
        lines = self._new_lines(RECORDS)
        if len(lines) != len(owners):  # TVM does not look whether it could write
            raise UserError(f"{self._view}: cannot be written; make room on its disk (TMPDIR)")
        records = [
            NewRecord(self._workloads[workload_of(line)].decode(), body_of(line), owner)
            for line, owner in zip(lines, owners, strict=True)
        ]
        with open_storage(self.folder / JOURNAL) as storage:
            storage.add(rows, records)
        self._staged.clear()
        self.trials += rows

    def forget(self, count: int) -> None:
        """Take out the last trials, of an answer that was cut off."""
        with open_storage(self.folder / JOURNAL) as storage:
            storage.forget(count)
        self.trials = self.trials[: len(self.trials) - count]

    def elapsed(self) -> float:
        """Seconds of measuring time that the log holds."""
        return max((trial.elapsed_s for trial in self.trials), default=0.0)

    def _new_lines(self, name: str) -> list[bytes]:
        """What the database has written to one of its files since this was last asked."""
        with (self._view / name).open("rb") as stream:
            stream.seek(self._read[name])
            text = stream.read()
        self._read[name] += len(text)
        return text.split(b"\n")[:-1]  # what has no end was not written whole
