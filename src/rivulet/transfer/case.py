"""A target kernel on its way from candidates to what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rivulet.kernels import Kernel
from rivulet.measure.protocol import Measurement
from rivulet.records.trials import samples_text
from rivulet.transfer.candidates import Candidate, KernelCandidates
from rivulet.transfer.matching import DEFAULT, OWN
from rivulet.transfer.table import CandidateRow
from rivulet.tvm_compat.names import candidate_name


@dataclass
class Tried:
    """A candidate, or the default schedule, on its way through measuring and checking.

    Attributes:
        row: Its row of the table.
        schedule: The schedule.
        candidate: Where it comes from; None for the default schedule.
        result: Its measurement.
        score: Predicted by the cost model.
        measured: Whether it was measured, successfully or not.
    """

    row: CandidateRow
    schedule: Any
    candidate: Candidate | None = None
    result: Measurement = field(default_factory=lambda: Measurement(()))
    score: float = 0.0
    measured: bool = False

    def take(self, result: Measurement) -> None:
        """Note a measurement, in place of an earlier one."""
        self.result, self.measured = result, True
        self.row.samples_us = samples_text(result.samples)
        self.row.reason = result.error
        self.row.valid = "yes" if result.samples else "no"
        self.row.median_us = f"{result.latency * 1e6:.4f}" if result.samples else ""


class Case:
    """A target kernel, the candidates for it, and its default schedule.

    Args:
        kernel: The kernel.
        candidates: Where its candidates come from.

    Attributes:
        kernel: The kernel.
        candidates: Where its candidates come from.
        default: Its default schedule.
        tried: All candidates that are ready, measured or not.
        extended: Whether these are all that are to be considered.
        winner: The candidate that it takes; None while it keeps its default schedule.
        settled: Whether that is decided.
        kept_because: Why it keeps its default schedule, where that is not for want of speed.
    """

    def __init__(self, kernel: Kernel, candidates: KernelCandidates) -> None:
        from tvm.s_tir import Schedule

        self.kernel, self.candidates = kernel, candidates
        self.default = Tried(_row(kernel, kind=DEFAULT), Schedule(kernel.module))
        self.default.row.candidate = candidate_name(self.default.schedule.mod)
        self.tried: list[Tried] = []
        self.extended = self.settled = False
        self.winner: Tried | None = None
        self.kept_because = ""

    def take_in(self) -> None:
        """Take candidates that have become ready."""
        for one in self.candidates.ready[len(self.tried) :]:
            self.tried.append(Tried(_candidate_row(self.kernel, one), one.schedule, one))

    def describe(self) -> None:
        """Give features to the candidates that have none."""
        self.candidates.describe()
        for tried, one in zip(self.tried, self.candidates.ready, strict=True):
            tried.candidate = one

    @property
    def taken(self) -> Tried:
        """What the kernel takes."""
        return self.winner or self.default

    @property
    def ranked(self) -> list[Tried]:
        """Candidates that ran, fastest first."""
        ran = (one for one in self.tried if one.result.samples)
        return sorted(ran, key=lambda one: one.result.latency)

    @property
    def verdict(self) -> str:
        """One line on what was decided."""
        if self.winner is None:
            return "keeps its default schedule"
        default = self.default.result
        ratio = default.latency / self.winner.result.latency if default.samples else 0.0
        faster = f", {ratio:.1f}x" if ratio else ""
        return f"takes one of {self.winner.row.source or 'its own'}{faster}"

    def rows(self) -> list[CandidateRow]:
        """Rows of everything that was considered, the default last."""
        for one in self.tried:
            one.row.reason = one.row.reason or self._why_not(one)
            if not one.measured:
                one.row.valid = ""
        rows = [one.row for one in self.tried]
        for fallen in self.candidates.fallen:
            rows.append(_candidate_row(self.kernel, fallen, reason=fallen.reason))
        if self.candidates.reason:
            rows.append(_row(self.kernel, reason=self.candidates.reason))
        return [*rows, self.default.row]

    def _why_not(self, one: Tried) -> str:
        """Why a candidate was not taken; empty for the one that was."""
        if one is self.winner or not self.settled:
            return ""
        if not one.measured:
            return "not measured: others were more promising"
        if self.winner is not None:
            return "slower than the schedule that was taken"
        return self.kept_because or "not significantly faster than the default schedule"


def _row(kernel: Kernel, **values: str) -> CandidateRow:
    return CandidateRow(kernel.task, kernel.kind, kernel.weight, kernel.flops, **values)


def _candidate_row(kernel: Kernel, candidate: Candidate, **values: str) -> CandidateRow:
    match = candidate.match
    if match is None:
        return _row(
            kernel, kind=OWN, how=candidate.how, rank=str(candidate.rank + 1),
            candidate=candidate.name, **values,
        )  # fmt: skip
    return _row(
        kernel, source=match.kernel.source, source_kernel=match.kernel.task, kind=match.kind,
        how=candidate.how, rank=str(candidate.rank + 1), distance=f"{match.distance:.3f}",
        candidate=candidate.name, **values,
    )  # fmt: skip
