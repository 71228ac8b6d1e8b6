"""What a transfer ends with: a line on each kernel that nothing valid was measured of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rivulet.records.failures import kernels_without_schedule
from rivulet.records.trials import Trial
from rivulet.transfer.case import Case


def remarks(cases: Sequence[Case], trials: Iterable[Trial]) -> list[str]:
    """The lines, for kernels without a valid trial, their default schedule's included.

    Args:
        cases: The kernels.
        trials: What was measured of them.
    """
    spaceless = {
        case.kernel.task: case.candidates.spaceless for case in cases if case.candidates.spaceless
    }
    ran = {case.kernel.task for case in cases if case.default.result.samples}
    tasks = [case.kernel.task for case in cases]
    return kernels_without_schedule(
        [task for task in tasks if task not in ran or task in spaceless],
        [trial for trial in trials if trial.kernel not in spaceless],
        spaceless,
    )
