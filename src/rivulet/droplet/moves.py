"""The way that a model's descents took: ``moves.csv`` and a log of the schedules on it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivulet.droplet.kernel_descent import KernelDescent
from rivulet.kernels import Kernel
from rivulet.tables import write_table
from rivulet.tvm_compat.traces import trace_text, traced_module

MOVES = "moves.csv"


@dataclass(frozen=True)
class MoveRow:
    """One move.

    Attributes:
        kernel: Task name.
        trials: Candidates of the whole model measured by then.
        trace: Trace of the new best schedule, as a database's record holds it.
    """

    kernel: str
    trials: int
    trace: str


def write_moves(descents: Sequence[KernelDescent], path: Path) -> None:
    """Write the moves of all kernels, in the order in which they were made."""
    rows = [
        MoveRow(descent.kernel.task, trials, trace_text(schedule.trace))
        for descent in descents
        for trials, schedule in descent.history
    ]
    write_table(MoveRow, sorted(rows, key=lambda row: row.trials), path)


def modules_after(path: Path, kernels: Sequence[Kernel], trials: int) -> dict[str, Any]:
    """Scheduled module of each kernel that had moved after so many trials.

    Args:
        path: The table.
        kernels: The model's kernels.
        trials: Candidates of the whole model measured.
    """
    known = {kernel.task: kernel for kernel in kernels}
    latest: dict[str, str] = {}
    csv.field_size_limit(2**24)  # a trace takes more than the default allows
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            if int(row["trials"]) <= trials:
                latest[row["kernel"]] = row["trace"]
    return {task: traced_module(known[task].module, text) for task, text in latest.items()}
