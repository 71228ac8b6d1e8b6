"""How long the imports of each job of the workflow take: its start, before and within its work.

A small matrix, in which every kind of job has its turn, is run by the workflow itself, and Python
says of each job's process how long it imports (`-X importtime`): libraries that are imported only
where they are needed, a compiler among them, keep the first useful result waiting as much as those
at the top. What a job's own workers import is not counted.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.launch import BENCHMARKS
from comparison.workflow import run_workflow
from rivulet.measure.statistics import median
from rivulet.methods import ANSOR
from rivulet.paths import PACKAGE

BAR_SECONDS, COMPILER_BAR_SECONDS = 3.0, 6.0
RUNS = 3
IMPORTS = Path(__file__).parent / "imports"  # of a Python that has it on its path
# The total of a module that no other one imports; those it imports itself are set in further.
_OUTERMOST = re.compile(r"^import time: +\d+ \| +(\d+) \| \S", re.MULTILINE)
_COMPILER = re.compile(r"^import time: .* tvm$", re.MULTILINE)
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
        median_s: Median of the seconds that they import.
        worst_s: Largest of them.
        bar_s: Seconds that it may take.
    """

    script: str
    compiler: bool
    jobs: int
    median_s: float
    worst_s: float
    bar_s: float


def startup_times(quick: bool, work: Path = BENCHMARKS / "work/startup") -> list[StartupRow]:
    """Run the matrix, once or `RUNS` times, and sum up what its jobs imported.

    Args:
        quick: Run it once.
        work: Folder of the runs. Finished jobs are kept, and the same call goes on.

    Raises:
        SystemExit: The workflow did not finish.
    """
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    before = dict(os.environ)
    try:
        os.environ["PYTHONPATH"] = str(IMPORTS)
        for number in range(1 if quick else RUNS):
            folder = work / f"run-{number}"
            traces = folder / "imports"
            traces.mkdir(parents=True, exist_ok=True)
            os.environ["JOB_IMPORTS"] = str(traces)
            # One job at a time: what a job waits for another job's CPU is not its start-up.
            run_workflow(folder, "startup", _CONFIG, ["all", _PACKAGE], "1")
            for trace in sorted(traces.iterdir()):
                script, seconds, compiler = imports_of(trace, folder)
                found[script].append((seconds, compiler))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return [_row(script, jobs) for script, jobs in sorted(found.items())]


def imports_of(trace: Path, folder: Path) -> tuple[str, float, bool]:
    """A job's script, the seconds that it imports, and whether it imports the compiler.

    Args:
        trace: What the job printed until it opened its log.
        folder: Folder that the log's path is relative to.
    """
    text = trace.read_text(errors="replace")
    command = json.loads(next(line for line in text.splitlines() if line.startswith("[")))
    text += (folder / command[command.index("--log") + 1]).read_text(errors="replace")
    seconds = sum(map(int, _OUTERMOST.findall(text))) / 1e6
    return Path(command[0]).name, seconds, _COMPILER.search(text) is not None


def _row(script: str, jobs: list[tuple[float, bool]]) -> StartupRow:
    seconds = [took for took, _ in jobs]
    compiler = any(found for _, found in jobs)
    bar = COMPILER_BAR_SECONDS if compiler else BAR_SECONDS
    middle, worst = round(median(seconds), 2), round(max(seconds), 2)
    return StartupRow(script, compiler, len(jobs), middle, worst, bar)
