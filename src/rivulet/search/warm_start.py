"""Begin a search from what a transfer has measured."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from rivulet.records.files import TRIALS, WORKLOADS
from rivulet.records.prefix import copy_records
from rivulet.records.trials import append_trials, read_trials

_STRATEGY = "transfer"


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
    if (folder / TRIALS).exists():
        return
    trials = [trial for trial in read_trials(start / TRIALS) if trial.strategy == _STRATEGY]
    shutil.copyfile(start / WORKLOADS, folder / WORKLOADS)
    copy_records(start, folder, trials, lambda t: (t.kernel, t.candidate) not in wrong)
    # Last, and in one piece, so that a search that was cut off here begins anew.
    partial = folder / f".{TRIALS}.partial"
    partial.unlink(missing_ok=True)
    append_trials(partial, trials)
    partial.replace(folder / TRIALS)
