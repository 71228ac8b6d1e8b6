"""What the processes of the comparison share: their specification, clock and result."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.launch import STARTED
from comparison.run import PROGRESS, RESULT, SPEC
from rivulet.hardware.fingerprint import Device
from rivulet.jobs import Job, run_job

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Child:
    """A run as its own process sees it.

    Attributes:
        folder: Its folder.
        spec: Its specification.
        scratch: Folder for temporary files, removed at the end.
        logger: Writes to its output.
    """

    folder: Path
    spec: dict[str, Any]
    scratch: Path
    logger: logging.Logger

    @property
    def device(self) -> Device:
        """The device to measure on."""
        return Device.from_json(self.spec["device"])

    def other(self, key: str) -> Path:
        """Folder of the run that the specification names under ``key``."""
        return self.folder.parent / str(self.spec[key])

    def elapsed(self) -> float:
        """Seconds since the process was started, its imports included."""
        return time.monotonic() - float(os.environ[STARTED])

    def count(self, units: int = 1) -> None:
        """Tell that so many units of work were done."""
        with (self.folder / PROGRESS).open("a") as stream:
            stream.write("." * units)


def serve(work: Callable[[Child], dict[str, Any]], tidy: bool = True) -> int:
    """Do the work of the run whose folder the command line names, and write its result.

    Args:
        work: The work.
        tidy: Give the work a folder for temporary files that is removed after it, as Rivulet's
            commands have one. Without, what it leaves behind stays, to be counted.
    """
    # Whoever is killed in the middle leaves no measurement running that nobody waits for.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    folder = Path(sys.argv[1])
    spec = json.loads((folder / SPEC).read_text())

    def within(job: Job) -> None:
        if not tidy:
            os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        result = work(Child(folder, spec, job.scratch, job.logger))
        partial = folder / f"{RESULT}.partial"
        partial.write_text(json.dumps(result))
        partial.replace(folder / RESULT)

    return run_job(folder.name, None, within)
