"""Why jobs of this workflow failed, kept until its end.

With ``--keep-going`` the reason of one model's failure scrolls away while the others go on.
Imported whenever Snakemake reads the Snakefile: nothing heavy here.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path

# File that failing jobs write to, one line of JSON each; without it nobody waits for them.
FAILURES = "RIVULET_FAILURES"


def collect_failures(path: Path, main: bool) -> None:
    """Let the jobs of a workflow write down why they fail.

    Args:
        path: File to write to.
        main: Whether this is the process of the workflow, and none of its jobs: it forgets the
            failures of an earlier run, and tells those of this one when it ends, after all that
            Snakemake says.
    """
    os.environ[FAILURES] = str(path.resolve())
    if main:
        path.unlink(missing_ok=True)
        atexit.register(_tell, path)


def note_failure(text: str) -> None:
    """Write down why a job failed."""
    if FAILURES not in os.environ:
        return
    path = Path(os.environ[FAILURES])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:  # one write: several jobs may fail at a time
        stream.write(json.dumps(text) + "\n")


def failures(path: Path) -> list[str]:
    """Why jobs failed, in the order in which they did, each reason once."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line) for line in lines))


def _tell(path: Path) -> None:
    found = failures(path)
    if len(found) > 1:
        print(f"{len(found)} jobs failed; what needs their results was not made:", file=sys.stderr)
    for text in found:
        print(text, file=sys.stderr, flush=True)
