"""What a transfer is told, and what it came to."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from rivulet.measure.protocol import MeasuringBench
from rivulet.records import TuningLog
from rivulet.transfer.case import Case
from rivulet.transfer.culprits import replace_wrong
from rivulet.transfer.table import CandidateRow
from rivulet.tvm_compat.arguments import argument_infos


@dataclass(frozen=True)
class TransferSettings:
    """The config's ``transfer`` settings."""

    seed: int
    candidates_per_kernel: int
    most_per_kernel: int
    considered_per_kernel: int
    records_per_source_kernel: int
    seconds: float
    significance: float
    confirm_repeats: int
    tolerance: float


@dataclass
class TransferResult:
    """What a transfer came to.

    Attributes:
        cases: The kernels, each with what it takes.
        seconds: Wall time from the start to the last measurement.
        settling_seconds: The part of it after the last candidate.
        stopped: Why no more was measured.
    """

    cases: list[Case] = field(default_factory=list)
    seconds: float = 0.0
    settling_seconds: float = 0.0
    stopped: str = ""

    @property
    def rows(self) -> list[CandidateRow]:
        """One row per candidate considered, and one per kernel that has none."""
        return [row for case in self.cases for row in case.rows()]

    def record(self, log: TuningLog, target: Any) -> None:
        """Write the schedules that kernels take to an empty log."""
        for case in self.cases:
            if (winner := case.winner) is not None:
                log.commit(
                    case.kernel, winner.schedule.trace, winner.result.latency, target,
                    arguments=argument_infos(winner.schedule.mod),
                )  # fmt: skip
        log.append([])

    def replace_wrong(
        self, settings: TransferSettings, bench: MeasuringBench, logger: logging.Logger
    ) -> list[str]:
        """Have each schedule that is taken checked; see `rivulet.transfer.culprits`."""
        return replace_wrong(self.cases, settings, bench, logger)

    def is_right(self) -> None:
        """Note that the model computes what it should with the schedules that are taken."""
        for case in self.cases:
            if case.winner is not None:
                case.winner.row.correct = "yes"

    def put_back(self, task: str, reason: str = "the whole model is slower with it") -> None:
        """Note that a kernel got its default schedule back, and why."""
        for case in self.cases:
            if case.kernel.task == task and (winner := case.winner) is not None:
                winner.row.chosen = ""
                winner.row.reason = f"put back: {reason}"
                case.winner, case.default.row.chosen = None, "yes"
