"""Which of a model's schedules make its output wrong, and what the kernels take instead."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rivulet.measure.protocol import MeasuringBench, WorkerFailure
from rivulet.transfer.case import Case, Tried
from rivulet.transfer.settle import Acceptance, beats_default


def replace_wrong(
    cases: Sequence[Case], settings: Acceptance, bench: MeasuringBench, logger: logging.Logger
) -> list[str]:
    """Check each schedule that was taken, alone; a kernel takes its next one for a wrong one.

    Beside each runs its kernel's default schedule, on equal inputs. That takes far longer than a
    run of the whole model, and is for the rare case that the model's output was wrong.

    Args:
        cases: The kernels, settled.
        settings: Acceptance.
        bench: Runs kernels.
        logger: Told of what is wrong.

    Returns:
        The tasks of the kernels that take another schedule now, or their default one.
    """
    changed = []
    suspects = [case for case in cases if case.winner is not None]
    while suspects:
        wrong = _wrong_ones(suspects, settings, bench, logger)
        changed += [case.kernel.task for case in wrong if case.kernel.task not in changed]
        for case in wrong:
            _take_next(case, settings, bench)
        suspects = [case for case in wrong if case.winner is not None]
    return changed


def _wrong_ones(
    suspects: Sequence[Case],
    settings: Acceptance,
    bench: MeasuringBench,
    logger: logging.Logger,
) -> list[Case]:
    seen = bench.compare(
        [case.taken.schedule.mod for case in suspects],
        [case.default.schedule.mod for case in suspects],
        settings.seed,
    )
    wrong = []
    for case, found in zip(suspects, seen, strict=True):
        row = case.taken.row
        if isinstance(found, WorkerFailure):
            row.correct, row.reason = "no", f"the output check failed: {found}"
        else:
            row.correct = "yes" if found.error <= settings.tolerance else "no"
            row.max_rel_error = f"{found.error:.2e}"
            if row.correct == "no":
                row.reason = "the output differs from the default schedule's"
        if row.correct == "no":
            logger.warning("%s: %s %s", case.kernel.task, row.reason, row.max_rel_error)
            wrong.append(case)
    return wrong


def _take_next(case: Case, settings: Acceptance, bench: MeasuringBench) -> None:
    """Let a kernel take the fastest candidate that was not found wrong, or its default."""
    case.taken.row.chosen = ""
    left: list[Tried] = [one for one in case.ranked if one.row.correct != "no"]
    case.winner = None
    if left and beats_default(left[0], case.default, settings, bench, raced=set()):
        case.winner = left[0]
    case.taken.row.chosen = "yes"
