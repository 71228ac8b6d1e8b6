"""How long each stage of a run took, by the logs of its jobs."""

from __future__ import annotations

import re
from collections import defaultdict
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
    "transfer/ranking": "rank sources",
    "transfer": "transfer",
    "transfer-droplet": "droplet search after a transfer",
    "logs/warm": "warm start",
    "libraries": "compile",
    "benchmarks": "benchmark",
    "droplet_gain": "droplet beside more search",
    "droplet_effect": "droplet around transfers",
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
        for stage in STAGES.values()
        if (jobs := found.get(stage))
    ]


def _stage_of(path: Path) -> str | None:
    """What a job did, by the place of its log: ``models/``, or below the hardware's folder."""
    parts = path.with_suffix("").parts
    if parts[0] == "models":
        return STAGES["models"]
    below = parts[1:]
    if below[:1] == ("logs",) and len(below) > 1:
        return STAGES.get(f"logs/{below[1].partition('-')[0]}")
    return STAGES.get("/".join(below)) or (STAGES.get(below[0]) if below else None)


def _seconds(path: Path) -> float | None:
    """From the first to the last line with a time; None without any."""
    times = [
        datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
        for line in path.read_text(errors="replace").splitlines()
        if (found := _LINE.match(line))
    ]
    return (times[-1] - times[0]).total_seconds() if times else None
