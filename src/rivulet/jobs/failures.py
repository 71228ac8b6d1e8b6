"""Why jobs of this workflow failed, kept until its end.

With ``--keep-going`` the reason of one model's failure scrolls away while the others go on.
Imported whenever Snakemake reads the Snakefile: nothing heavy here.
"""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Callable
from pathlib import Path

from rivulet.paths import TEXT_LOGS

# Where the jobs of a workflow write it, one line of JSON each.
FAILURES = Path(TEXT_LOGS) / "failures.jsonl"


def collect_failures(stopped: Callable[[], bool], path: Path = FAILURES) -> None:
    """Forget the failures of an earlier run, and tell those of this one when the process ends.

    For the process of a workflow whose jobs are about to start: one that only plans, or that waits
    for another one's lock, has no failures, and those of the other one are not its own.

    Args:
        stopped: Whether work that does not need what failed was left undone; asked at the end,
            after all that Snakemake says.
        path: The file that the jobs write to.
    """
    path.unlink(missing_ok=True)
    atexit.register(_tell, path, stopped)


def note_failure(text: str, path: Path) -> None:
    """Write down why a job failed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:  # one write: several jobs may fail at a time
        stream.write(json.dumps(text) + "\n")


def failures(path: Path) -> list[str]:
    """Why jobs failed, in the order in which they did, each reason once."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line) for line in lines))


def _tell(path: Path, stopped: Callable[[], bool]) -> None:
    found = failures(path)
    if len(found) > 1:
        print(f"{len(found)} jobs failed; what needs their results was not made:", file=sys.stderr)
    for text in found:
        print(text, file=sys.stderr, flush=True)
    if found and stopped():
        print(
            "other models may be unfinished: the same command with --keep-going makes all that "
            "does not need what failed", file=sys.stderr, flush=True,
        )  # fmt: skip
