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
from pathlib import Path
from typing import Any

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
    begun = process_age(pid)
    with _timed_imports() as imports:
        try:
            yield
        finally:
            line = {
                "job": label,
                "script": Path(sys.argv[0]).name,
                "begin_s": round(begun, 3),
                "import_s": round(imports[0], 3),
                "startup_s": round(begun + imports[0], 3),
                "compiler": "tvm" in sys.modules,
            }
            with Path(path).open("a") as stream:  # a short line is appended as a whole
                stream.write(json.dumps(line) + "\n")


@contextmanager
def _timed_imports() -> Iterator[list[float]]:
    """Sum up the seconds that this thread spends in imports, those within imports once."""
    spent = [0.0]
    inside = False
    thread = threading.get_ident()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside or threading.get_ident() != thread:
                return function(*args, **kwargs)
            inside, started = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                inside = False
                spent[0] += time.perf_counter() - started

        return call

    before = builtins.__import__, importlib.import_module
    builtins.__import__, importlib.import_module = timed(before[0]), timed(before[1])
    try:
        yield spent
    finally:
        builtins.__import__, importlib.import_module = before
