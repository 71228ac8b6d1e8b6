"""How long a job takes to start: measured in the job itself, when the environment asks for it.

A job's start-up is the time from the start of its process to the first line of its own work, and
all imports that the work does later: libraries that are imported only where they are needed, a
compiler among them, keep the first useful result waiting as much as those imported at the top.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

VARIABLE = "RIVULET_STARTUP_TRACE"


def process_age(pid: int) -> float:
    """Seconds since a process was started, to the operating system's 10 ms.

    Args:
        pid: A process of this machine.
    """
    # The command's name, in brackets, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def traced_startup(label: str, pid: int) -> Iterator[None]:
    """Append a line about this job's start-up to the file that ``RIVULET_STARTUP_TRACE`` names.

    To be entered when the job's own work begins; without the variable nothing is done.

    Args:
        label: Stage and subject of the job.
        pid: The process that was started for this job; the work may be a child of it.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    begun, used = process_age(pid), _cpu_seconds(pid)
    with _timed_imports() as imports:
        try:
            yield
        finally:
            line = {
                "job": label,
                "script": Path(sys.argv[0]).name,
                "begin_s": round(begun, 3),
                "import_s": round(imports.seconds, 3),
                "startup_s": round(begun + imports.seconds, 3),
                "cpu_s": round(used + imports.cpu_seconds, 3),
                "compiler": "tvm" in sys.modules,
            }
            with Path(path).open("a") as stream:  # a short line is appended as a whole
                stream.write(json.dumps(line) + "\n")


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@dataclass
class _Imports:
    """What imports have taken: wall time, and CPU time of this process."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def _timed_imports() -> Iterator[_Imports]:
    """Sum up what this thread spends in imports, those within imports counted once."""
    spent = _Imports()
    inside = False
    thread = threading.get_ident()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside or threading.get_ident() != thread:
                return function(*args, **kwargs)
            inside, started, used = True, time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                inside = False
                spent.seconds += time.perf_counter() - started
                spent.cpu_seconds += time.process_time() - used

        return call

    before = builtins.__import__, importlib.import_module
    builtins.__import__, importlib.import_module = timed(before[0]), timed(before[1])
    try:
        yield spent
    finally:
        builtins.__import__, importlib.import_module = before
