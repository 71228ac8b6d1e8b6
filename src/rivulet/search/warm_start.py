"""Begin a search from what a transfer has measured."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rivulet.methods import TRANSFER
from rivulet.records.imported import begin_log


def begin_from(start: Path, folder: Path, wrong: Collection[tuple[str, str]] = ()) -> None:
    """Make a search's log begin with a transfer's candidates, unless it has begun already.

    They count as the search's first trials. The transfer's default schedules and repeated
    measurements are no candidates of the search and are left out.

    Args:
        start: Folder of the log of all candidates that the transfer measured.
        folder: Folder of the search's log.
        wrong: (kernel, candidate) of those whose output was wrong: they stay known as trials, so
            that they are not measured again, but are no schedules to choose from.
    """
    begin_log(
        folder,
        start,
        wanted=lambda trial: trial.strategy == TRANSFER,
        usable=lambda trial: (trial.kernel, trial.candidate) not in wrong,
    )
