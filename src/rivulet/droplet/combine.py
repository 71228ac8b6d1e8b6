"""The log with droplet: the source's schedules and the refined ones, with comparable times."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from typing import Any

from rivulet.droplet.droplet import DropletSettings
from rivulet.kernels import Kernel
from rivulet.measure.protocol import MeasuringBench
from rivulet.measure.statistics import significantly_faster
from rivulet.records import TuningLog
from rivulet.records.log import TRIALS, record_latency
from rivulet.tvm_compat.arguments import argument_infos
from rivulet.tvm_compat.traces import Postprocessing, replay


def combine_logs(
    kernels: list[Kernel],
    target: Any,
    settings: DropletSettings,
    source: TuningLog,
    walk: TuningLog,
    combined: TuningLog,
    bench: MeasuringBench,
    report: Callable[[str], None],
    logger: logging.Logger,
) -> int:
    """Write the schedules of ``source`` and the winners of ``walk`` into ``combined``.

    Where a kernel's walk moved, winner and starting point are measured once more, interleaved;
    the winner is kept only if it is significantly faster still, with the times seen here. A
    schedule that was picked for its time in a search is on average slower than that time, so
    source records that claim less than the winner's repeated time are left out for such kernels:
    they lost to the starting point when that was picked.

    Returns:
        How many kernels got faster.
    """
    if (walk.folder / TRIALS).exists():
        shutil.copyfile(walk.folder / TRIALS, combined.folder / TRIALS)
    gained = 0
    for kernel in kernels:
        records = source.best_records(kernel, len(source.database))
        moved = walk.best_records(kernel, 1)
        if records and moved:
            postprocessing = Postprocessing(kernel.module, target)
            pair = [
                replay(kernel.module, record.trace, postprocessing)
                for record in (records[0], moved[0])
            ]
            start, winner = bench.measure_interleaved(
                [schedule.mod for schedule in pair], 2 * settings.confirm_repeats, settings.seed
            )
            faster = (
                start.samples
                and winner.samples
                and significantly_faster(winner.samples, start.samples, settings.significance)
            )
            if faster:
                gained += 1
                ratio = start.latency / winner.latency
                report(f"{kernel.task}: {ratio:.2f}x faster than the search's best")
                logger.info("%s start %s winner %s", kernel.task, start.samples, winner.samples)
                for schedule, result in zip(pair, (start, winner), strict=True):
                    arguments = argument_infos(schedule.mod)
                    combined.commit(kernel, schedule.trace, result.latency, target, arguments)
                records = [r for r in records[1:] if record_latency(r) > winner.latency]
        for record in records:
            latency = record_latency(record)
            combined.commit(kernel, record.trace, latency, target, record.args_info)
    return gained
