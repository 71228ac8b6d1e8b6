"""The logs from elsewhere that are sources of transfers, as the config has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rivulet.jobs.job import Job
from rivulet.records.best import best_of_workloads
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.records.stored import read_log
from rivulet.transfer.ranking import KnownKernel
from rivulet.transfer.sources import Source, check_donor, load_source, made_here


def donor_files(donors: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Databases of donors, which stand for them: a log from elsewhere has no record here."""
    return [Path(one["log"]) / name for one in donors.values() for name in (WORKLOADS, RECORDS)]


def donor_kernels(
    job: Job, donors: Mapping[str, Mapping[str, Any]], settings: dict[str, Any]
) -> dict[str, list[KnownKernel]]:
    """Kernels of the donors, after checking where they are from.

    How often its model runs a kernel is not known, and its latency only where it is of this device.

    Args:
        job: Told of what is to be said of a donor.
        donors: Name to its entry in the config.
        settings: The record of the stage's settings, for the device and TVM.
    """
    return {name: _kernels_of(job, name, one, settings) for name, one in donors.items()}


def donor_source(
    job: Job, name: str, one: Mapping[str, Any], *, settings: dict[str, Any], best: int
) -> Source:
    """A donor's schedules, after checking where they are from.

    Args:
        job: Told of what is to be said of it.
        name: Its name.
        one: Its entry in the config.
        settings: The record of the stage's settings, for the device and TVM.
        best: Fastest records to read of each kernel.

    Raises:
        UserError: It is of other hardware, and the config does not say so.
    """
    folder = Path(one["log"])
    log = read_log(folder)
    remark = check_donor(name, log, settings, one["other_hardware"])
    if remark:
        job.tell(remark)
    timed = made_here(log, settings)
    return load_source(name, folder, [], job.scratch, best=best, logger=job.logger, timed=timed)


def _kernels_of(
    job: Job, name: str, one: Mapping[str, Any], settings: dict[str, Any]
) -> list[KnownKernel]:
    source = donor_source(job, name, one, settings=settings, best=1)
    counts, timed = best_of_workloads(read_log(Path(one["log"]))), source.timed
    return [
        KnownKernel(
            k.workload, k.structure, k.flops, 1,
            float(k.records[0].run_secs[0]) if timed else math.inf,
            counts.get(k.workload, (0.0, 1))[1], timed,
        )
        for k in source.kernels
    ]  # fmt: skip
