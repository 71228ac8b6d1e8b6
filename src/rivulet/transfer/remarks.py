"""What a transfer ends with: a line on each kernel of which no candidate ran."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rivulet.records.failures import kernels_without_schedule
from rivulet.records.trials import Trial
from rivulet.transfer.case import Case
from rivulet.transfer.strategy import TransferTuning


def remarks(cases: Sequence[Case], trials: Iterable[Trial]) -> list[str]:
    """The lines, for kernels all of whose candidates failed, and those without a design space.

    Args:
        cases: The kernels.
        trials: What was measured of them.
    """
    spaceless = {
        case.kernel.task: case.candidates.spaceless for case in cases if case.candidates.spaceless
    }
    # A default schedule that runs is no candidate.
    carried_over = [trial for trial in trials if trial.strategy == TransferTuning.name]
    return kernels_without_schedule([case.kernel.task for case in cases], carried_over, spaceless)
