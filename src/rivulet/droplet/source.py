"""What a descent takes from the log that it refines."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivulet.kernels import Kernel
from rivulet.records import Trial
from rivulet.records.stored import read_log
from rivulet.records.thinned import open_thinned

# Records of each kernel that are opened: the fastest are starting points, and with the others the
# cost model learns.
_BEST = 12
_OTHERS = 8


@dataclass(frozen=True)
class SourceKernel:
    """What a log has of one kernel.

    Attributes:
        records: Its fastest records and some of the others, fastest first.
        known: Name of each candidate measured to its seconds; infinite where it failed, or where
            its time does not compare with those that are measured now.
    """

    records: tuple[Any, ...] = ()
    known: dict[str, float] = field(default_factory=dict)


def read_source(
    folder: Path,
    kernels: Iterable[Kernel],
    scratch: Path,
    comparable: bool,
    *,
    logger: logging.Logger,
    others: Iterable[Path] = (),
) -> dict[str, SourceKernel]:
    """Read a log that is to be refined; nothing is written to it.

    Args:
        folder: Folder of the log.
        kernels: The model's kernels.
        scratch: Folder for the thinned log.
        comparable: Whether the log was measured under the settings of now.
        logger: Told of what is damaged.
        others: Further folders of logs of the same model, for their schedules and trials. The
            first starting point of a kernel is of ``folder``; one that has none there keeps its
            default loops, whatever the others have. They were measured as ``folder`` was.

    Returns:
        Task name of each kernel to what the logs have of it.
    """
    found: dict[str, SourceKernel] = {}
    for number, place in enumerate([folder, *others]):
        stored = read_log(place)
        if damaged := stored.damaged():
            logger.warning("%s: %d damaged line(s) are not used", place, damaged)
        log = open_thinned(stored, scratch / f"source-{number}", _BEST, _OTHERS, logger=logger)
        for kernel in kernels:
            own = [trial for trial in stored.trials if trial.kernel == kernel.task]
            known = {trial.candidate: _seconds(trial, comparable) for trial in own}
            records = tuple(log.best_records(kernel, _BEST + _OTHERS))
            before = found.get(kernel.task)
            if before is None:
                found[kernel.task] = SourceKernel(records, known)
            elif before.records:
                found[kernel.task] = SourceKernel(
                    before.records + records, {**known, **before.known}
                )
    return found


def _seconds(trial: Trial, comparable: bool) -> float:
    return trial.median_us * 1e-6 if comparable and not trial.error else math.inf
