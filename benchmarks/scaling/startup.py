"""How long each job of the workflow takes from the start of its process to its first useful work.

A small matrix, in which every kind of job has its turn, is run by the workflow itself, and each job
says for itself how long it took: `rivulet.jobs.startup_trace` says what counts.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.launch import BENCHMARKS
from comparison.workflow import run_workflow
from rivulet.jobs.startup_trace import VARIABLE
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR
from rivulet.paths import PACKAGE

BAR_SECONDS, COMPILER_BAR_SECONDS = 3.0, 6.0
RUNS = 3
_TRACE = "startup.jsonl"
_CONFIG: dict[str, Any] = {
    "models": {
        "resnet18": {"torchvision": "resnet18", "shape": [1, 3, 32, 32]},
        "squeezenet1_1": {"torchvision": "squeezenet1_1", "shape": [1, 3, 32, 32]},
    },
    "trials": [40],
    "pairs": [["resnet18", "squeezenet1_1"]],
    "search": {"batch_size": 8, "population": 8, "generations": 1},
    "measure": {"repeats": 3, "min_repeat_ms": 1},
    "droplet": {"trials": 8, "neighbours_per_round": 4, "confirm_repeats": 4},
    "transfer": {"candidates_per_kernel": 1, "records_per_source_kernel": 1},
    "droplet_study": {"rounds": 5, "repetitions": 3},
    "benchmark": {
        "inputs": 1, "processes": 1, "max_processes": 1, "samples": 5, "min_sample_ms": 1,
        "settle_ms": 1, "bootstrap_resamples": 200, "max_seconds_per_method": 1,
    },
}  # fmt: skip
_PACKAGE = (
    PACKAGE.at(hardware="local", model="squeezenet1_1", own_log=ANSOR, trials=40) / "manifest.json"
)


@dataclass(frozen=True)
class StartupRow:
    """Start-up of one script's jobs.

    Attributes:
        script: The command of the jobs.
        compiler: Whether they import the compiler.
        jobs: How many there were.
        median_s: Median of the seconds to their first useful work.
        worst_s: Largest of them.
        cpu_s: Median of the CPU seconds in that time; what it would be on a machine of its own.
        bar_s: Seconds that it may take.
    """

    script: str
    compiler: bool
    jobs: int
    median_s: float
    worst_s: float
    cpu_s: float
    bar_s: float


def startup_times(quick: bool, work: Path = BENCHMARKS / "work/startup") -> list[StartupRow]:
    """Run the matrix, once or `RUNS` times, and sum up what its jobs said.

    Args:
        quick: Run it once.
        work: Folder of the runs. Finished jobs are kept, and the same call goes on.

    Raises:
        SystemExit: The workflow did not finish.
    """
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    before = os.environ.get(VARIABLE)
    try:
        for number in range(1 if quick else RUNS):
            folder = work / f"run-{number}"
            os.environ[VARIABLE] = str(folder / _TRACE)
            # One job at a time: what a job waits for another job's CPU is not its start-up.
            run_workflow(folder, "startup", _CONFIG, ["all", _PACKAGE], "1")
            for line in (folder / _TRACE).read_text().splitlines():
                job = json.loads(line)
                found[job["script"]].append(job)
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
    return [_row(script, jobs) for script, jobs in sorted(found.items())]


def _row(script: str, jobs: list[dict[str, Any]]) -> StartupRow:
    seconds = [job["startup_s"] for job in jobs]
    compiler = any(job["compiler"] for job in jobs)
    return StartupRow(
        script, compiler, len(jobs), round(median(seconds), 2), round(max(seconds), 2),
        round(median([job["cpu_s"] for job in jobs]), 2),
        COMPILER_BAR_SECONDS if compiler else BAR_SECONDS,
    )  # fmt: skip
