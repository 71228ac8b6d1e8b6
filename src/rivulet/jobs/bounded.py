"""Run a command with a bound on its time and memory."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

_POLL_SECONDS, _GRACE_SECONDS = 0.1, 10.0


class Bounded(NamedTuple):
    """How a command went.

    Attributes:
        seconds: Wall time.
        gib: The largest memory of it and all that it started, in GiB.
        problem: Why it failed: the bound that it met, or its last line; empty where it did not.
    """

    seconds: float
    gib: float
    problem: str


def run_bounded(
    command: Sequence[str | Path], seconds: float, gib: float, folder: Path | None = None
) -> Bounded:
    """Run a command to its end, or to a bound.

    Args:
        command: The command.
        seconds: Time that it may take.
        gib: Memory that it and all that it starts may have together, in GiB.
        folder: Folder that it works in; this process's by default.
    """
    started, peak, problem = time.monotonic(), 0, ""
    with tempfile.TemporaryFile("w+", errors="replace") as heard:
        child = subprocess.Popen(command, stdout=heard, stderr=heard, cwd=folder)
        try:
            while child.poll() is None:
                time.sleep(_POLL_SECONDS)
                peak = max(peak, _memory_of(child.pid))
                if peak > gib * 2**30:
                    problem = f"needs more than {gib:g} GiB of memory"
                elif time.monotonic() - started > seconds:
                    problem = f"takes more than {seconds:g} s"
                if problem:
                    break
        finally:
            _end(child)
        heard.seek(0)
        lines = heard.read().strip().splitlines()
    if child.returncode and not problem:
        problem = lines[-1] if lines else f"exit status {child.returncode}"
    return Bounded(time.monotonic() - started, peak / 2**30, problem)


def _memory_of(pid: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command that still runs; it ends what it has started."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
