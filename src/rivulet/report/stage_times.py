"""How long each stage of a run took, by the logs of its jobs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# Folder of the logs below the hardware's to what its jobs do, in the order of the graph.
STAGES = {
    "models": "export",
    "kernels": "extract kernels",
    "roofline": "roofline",
    "logs/ansor": "Ansor's search",
    "logs/droplet": "droplet search",
    "transfer": "transfer",
    "transfer-droplet": "droplet search after a transfer",
    "logs/warm": "warm start",
    "libraries": "compile",
    "benchmarks": "benchmark",
    "droplet_gain": "droplet beside more search",
    "droplet_effect": "droplet around transfers",
}
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) [A-Z]+ (.*)")
_STARTED = ": started, command: "


@dataclass(frozen=True)
class StageTime:
    """One stage of a run.

    Attributes:
        stage: What its jobs do.
        jobs: Jobs with a log.
        starts: How often these were started: more than there are where some were interrupted.
        seconds: From each start to the last line of its log, added up; jobs that ran side by side
            count each for itself.
        longest: The longest job's share of that, in seconds.
    """

    stage: str
    jobs: int
    starts: int
    seconds: float
    longest: float


def stage_times(logs: Path) -> list[StageTime]:
    """Times of all stages that have logs, in the order of the graph.

    Args:
        logs: The folder of all jobs' logs.
    """
    found: dict[str, list[list[float]]] = defaultdict(list)
    for path in sorted(logs.rglob("*.log")):
        stage = _stage_of(path.relative_to(logs))
        if stage and (spans := list(_spans(path))):
            found[stage].append(spans)
    return [
        StageTime(
            stage,
            len(jobs),
            sum(map(len, jobs)),
            round(sum(map(sum, jobs)), 1),
            round(max(map(sum, jobs)), 1),
        )
        for stage in STAGES.values()
        if (jobs := found.get(stage))
    ]


def _stage_of(path: Path) -> str | None:
    parts = path.with_suffix("").parts
    if parts[0] in STAGES:
        return STAGES[parts[0]]
    if len(parts) < 2:
        return None
    if parts[1] == "logs" and len(parts) > 2:
        return STAGES.get(f"logs/{parts[2].partition('-')[0]}")
    return STAGES.get(parts[1])


def _spans(path: Path) -> Iterator[float]:
    """Seconds of each start of a job: a log that is there already is gone on with."""
    begin = last = None
    for line in path.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if not found:
            continue
        now = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
        if _STARTED in found[2]:
            if begin and last:
                yield (last - begin).total_seconds()
            begin = now
        last = now
    if begin and last:
        yield (last - begin).total_seconds()
