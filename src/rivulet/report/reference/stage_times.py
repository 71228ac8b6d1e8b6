"""How long each stage of a run took, by the logs of its jobs."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rivulet import methods
from rivulet.methods import method_of
from rivulet.paths import parse

# Kind of what a job makes to what it does.
_WORK = {
    "model": "export",
    "kernels": "extract kernels",
    "roofline": "roofline",
    "ranking": "rank sources",
    "compiled": "compile",
    "benchmark": "benchmark",
    "gain": "droplet beside more search",
    "effect": "droplet around transfers",
}
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) [A-Z]+ ")


@dataclass(frozen=True)
class StageTime:
    """One stage of a run.

    Attributes:
        stage: What its jobs do.
        jobs: Jobs with a log.
        seconds: From the first to the last line of their logs, added up; jobs that ran side by
            side count each for itself. Of a job that was interrupted the last run counts:
            Snakemake removes a log when its job begins.
        longest: That of the longest job, in seconds.
    """

    stage: str
    jobs: int
    seconds: float
    longest: float


def stage_times(logs: Path) -> list[StageTime]:
    """Times of all stages that have logs, in the order of the graph.

    Args:
        logs: The folder of all jobs' logs.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted(logs.rglob("*.log")):
        stage = _stage_of(path.relative_to(logs))
        seconds = _seconds(path)
        if stage and seconds is not None:
            found[stage].append(seconds)
    return [
        StageTime(stage, len(jobs), round(sum(jobs), 1), round(max(jobs), 1))
        for stage in _stages()
        if (jobs := found.get(stage))
    ]


def _stages() -> list[str]:
    """What jobs do, in the order of the graph."""
    first, last = ("model", "kernels", "roofline"), ("compiled", "benchmark", "gain", "effect")
    alone = [one.work for one in methods.own() if not one.from_pool]
    moved = [one.work for one in methods.moved()]
    pooled = [one.work for one in methods.own() if one.from_pool]
    return [
        *(_WORK[kind] for kind in first), *alone, _WORK["ranking"], *moved, *pooled,
        *(_WORK[kind] for kind in last),
    ]  # fmt: skip


def _stage_of(path: Path) -> str | None:
    """What a job did, by the place of its text log, which is that of what it makes."""
    found = parse(path.with_suffix(""))
    if found is None:
        return None
    return method_of(found.method).work if found.kind == "log" else _WORK.get(found.kind)


def _seconds(path: Path) -> float | None:
    """From the first to the last line with a time; None without any."""
    times = [
        datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
        for line in path.read_text(errors="replace").splitlines()
        if (found := _LINE.match(line))
    ]
    return (times[-1] - times[0]).total_seconds() if times else None
