"""One run of the comparison: a process of its own, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULT = "result.json"
SPEC = "spec.json"
PROGRESS = "progress.txt"
OUTPUT = "output.txt"
_FINISHED = "run.json"


@dataclass(frozen=True)
class Run:
    """What one process does.

    Attributes:
        program: Module of this package, such as ``peer``, or a script beside it.
        label: What a person reads while it runs.
        spec: Everything that its result depends on, as JSON.
        seconds: How long it may take, roughly.
        total: Units of work that its progress file counts up to; 0 when it writes none.
    """

    program: str
    label: str
    spec: dict[str, Any]
    seconds: float
    total: int = 0

    @property
    def name(self) -> str:
        """Name of its folder, which differs when the program or the specification does."""
        text = json.dumps([self.program, self.spec], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        parts = [self.program.removesuffix(".py")]
        parts += [str(self.spec[key]) for key in ("model", "size", "trials", "seed", "repeat")
                  if key in self.spec]  # fmt: skip
        return "-".join([*parts, digest])


class Store:
    """The runs of a working folder: what is finished is not run again.

    Args:
        folder: Holds one folder per run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, run: Run) -> Path:
        """Folder of a run."""
        return self.folder / run.name

    def finished(self, run: Run) -> dict[str, Any] | None:
        """What is kept of a run; None when it did not come to its end yet."""
        path = self.place(run) / _FINISHED
        if not path.exists():
            return None
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept

    def keep(self, run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        """Mark a run as finished, with its result and ``facts`` of its process."""
        folder = self.place(run)
        result = json.loads((folder / RESULT).read_text())
        kept = {"label": run.label, "spec": run.spec, "result": result, **facts}
        partial = folder / f"{_FINISHED}.partial"
        partial.write_text(json.dumps(kept))
        partial.replace(folder / _FINISHED)
        return kept
