"""The log with droplet: the source's schedules and the refined ones, with comparable times."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet.droplet.settle import Settled
from rivulet.records import Trial, TuningLog
from rivulet.records.derive import supersede_records
from rivulet.records.files import TRIALS
from rivulet.records.stored import read_log
from rivulet.records.trials import write_trials
from rivulet.tvm_compat.arguments import argument_infos


def combine_logs(
    settled: Sequence[Settled],
    target: Any,
    source: Path,
    trials: Sequence[Trial],
    *,
    scratch: Path,
    combined: Path,
    logger: logging.Logger,
) -> None:
    """Write the schedules of a log and those that kernels take instead.

    Where a kernel takes a winner, it and the starting point have the times of their last
    measurement. A schedule that was picked for its time in a search is on average slower than
    that time, so source records that claim less than the winner's repeated time are left out for
    such kernels: they lost to the starting point when that was picked.

    Args:
        settled: What each kernel takes.
        target: TVM target.
        source: Folder of the log that was refined.
        trials: Trials of the descent.
        scratch: Folder for temporary files.
        combined: Folder to write to; what a cut-off attempt left there is overwritten.
        logger: Told of damage.
    """
    place = scratch / "taken"
    shutil.rmtree(place, ignore_errors=True)
    taken = TuningLog(place, logger)
    for one in settled:
        if one.winner is None or one.start is None:
            continue
        pairs = ((one.descent.begun, one.start), (one.descent.best, one.winner))
        for schedule, seconds in pairs:
            taken.commit(
                one.descent.kernel, schedule.trace, seconds, target,
                arguments=argument_infos(schedule.mod),
            )  # fmt: skip
    taken.append([])
    combined.mkdir(parents=True, exist_ok=True)
    supersede_records(combined, read_log(source), read_log(place))
    write_trials(combined / TRIALS, trials)
