"""The one door to Snakemake's private corners, so that an upgrade of Snakemake is one file's work.

Imported whenever Snakemake reads the Snakefile: nothing heavy here.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(".snakemake")
_LONGEST_NAME = 254  # of a file; what is longer is cut into folders with a mark of their own
_PART = "@"


def before_planning(workflow: Any, act: Callable[[bool, list[str]], None]) -> None:
    """Let something happen after the Snakefile is read and before jobs are planned.

    Snakemake's own hook, ``onstart``, comes when the jobs are planned and the folder is locked.
    And while it reads the Snakefile, nothing tells a run from ``--lint`` or ``--dag``.

    Args:
        workflow: Snakemake's workflow, as a Snakefile knows it.
        act: Called with whether jobs run afterwards: not in a dry run, and not where Snakemake
            shows a graph, a summary or a report. What plans no jobs, such as ``--list-rules``
            and ``--lint``, does not call it. And with the files and rules that are asked for by
            name.
    """
    plan = workflow._build_dag

    def act_and_plan() -> None:
        runs = workflow.executor_plugin is not None and not workflow.dryrun
        act(runs, sorted(map(str, workflow.dag_settings.targets)))
        plan()

    workflow._build_dag = act_and_plan


def is_known(output: Path, folder: Path = FOLDER) -> bool:
    """Whether Snakemake has made an output itself, or was about to when it was killed.

    Args:
        output: Path of the output, as the workflow names it.
        folder: Snakemake's own folder.
    """
    name = base64.urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[start : start + _LONGEST_NAME] for start in range(0, len(name), _LONGEST_NAME)]
    place = Path(*(_PART + part for part in parts[:-1]), parts[-1])
    return any((folder / kind / place).exists() for kind in ("metadata", "incomplete"))


def unfinished_outputs(folder: Path) -> list[str]:
    """Outputs of the jobs that run, or that a kill has ended, in the order of their names.

    Args:
        folder: Snakemake's own folder.
    """
    outputs = []
    for place, _, names in os.walk(folder / "incomplete"):
        above = Path(place).relative_to(folder / "incomplete").parts
        for name in names:
            parts = [part.removeprefix(_PART) for part in above]
            try:
                outputs.append(base64.urlsafe_b64decode("".join([*parts, name])).decode())
            except (binascii.Error, UnicodeDecodeError):
                continue  # no mark of an output
    return sorted(outputs)


def lock_files(folder: Path) -> list[Path]:
    """The files by which Snakemake has locked its folder; they name no process.

    Args:
        folder: Snakemake's own folder.
    """
    return sorted((folder / "locks").glob("*"))
