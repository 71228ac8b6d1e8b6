"""Begin a search from what a transfer has measured."""

from __future__ import annotations

import shutil
from pathlib import Path

from rivulet.records.files import RECORDS, TRIALS, WORKLOADS
from rivulet.records.trials import append_trials, read_trials

_STRATEGY = "transfer"


def begin_from(start: Path, folder: Path) -> None:
    """Make a search's log begin with a transfer's candidates, unless it has begun already.

    They count as the search's first trials. The transfer's default schedules and repeated
    measurements are no candidates of the search and are left out.

    Args:
        start: Folder of the log of all candidates that the transfer measured.
        folder: Folder of the search's log.
    """
    if (folder / TRIALS).exists():
        return
    for name in (WORKLOADS, RECORDS):
        shutil.copyfile(start / name, folder / name)
    trials = [trial for trial in read_trials(start / TRIALS) if trial.strategy == _STRATEGY]
    # Last, and in one piece, so that a search that was cut off here begins anew.
    partial = folder / f".{TRIALS}.partial"
    partial.unlink(missing_ok=True)
    append_trials(partial, trials)
    partial.replace(folder / TRIALS)
