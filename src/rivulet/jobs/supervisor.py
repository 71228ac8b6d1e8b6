"""Run a job's work in a process of its own, which can be ended in time whatever it is doing.

Native code leaves no other way. A compiler or an evolutionary search runs for many seconds
without looking at signals, an exception raised inside one of its callbacks takes the whole
process down, and opening a large log keeps every Python thread waiting. So a small process that
does nothing else receives the signals and ends the work from outside. Nothing is lost by that:
whatever the job records is on disk by then, and mended when it is opened again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil

from rivulet.kinship import adopt_orphans, end_with_parent

_POLL_SECONDS = 1.0
_REAP_SECONDS = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Ending:
    """How the work ended.

    Attributes:
        status: Exit status of the work; None when a signal ended its process.
        killed_by: Name of the signal that ended it though nobody here sent one; else empty.
        stopped_by: Why it was asked to end, such as ``SIGTERM``; empty when it was not.
    """

    status: int | None
    killed_by: str = ""
    stopped_by: str = ""


def run_supervised(work: Callable[[], int]) -> Ending:
    """Run ``work`` in a child process and wait for its end, or for a request to end it.

    A request is SIGTERM, SIGINT, or the end of the Snakemake that started this command: a killed
    Snakemake leaves its jobs running, and they would hold the device while nobody waits for
    them. The work and everything that it started are gone when this returns, and when this
    process itself is killed they go with it.

    Args:
        work: Called in the child; its result is the exit status.
    """
    # What the work leaves behind becomes a child of this process, which then knows of it.
    adopt_orphans()
    with _signals() as wakeup:
        supervisor = os.getpid()
        child = os.fork()
        if child == 0:
            _become_the_work(supervisor, work)
        try:
            return _watch(child, wakeup)
        finally:
            _end_everything()


def _become_the_work(supervisor: int, work: Callable[[], int]) -> NoReturn:
    """Run the work and leave; never returns, so that nothing of the supervisor's runs twice."""
    status = 1
    try:
        # The terminal and cluster managers signal all processes; the supervisor decides.
        for number in _STOPPING:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        end_with_parent()
        if os.getppid() == supervisor:
            status = work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(child: int, wakeup: int) -> Ending:
    workflow = _workflow_process()
    while True:
        received = _signals_received(wakeup)
        for number in _STOPPING:
            if number in received:
                return Ending(None, stopped_by=number.name)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            if os.WIFSIGNALED(status):
                return Ending(None, killed_by=signal.Signals(os.WTERMSIG(status)).name)
            return Ending(os.WEXITSTATUS(status))
        if workflow is not None and not workflow.is_running():
            return Ending(None, stopped_by="the end of the workflow")


def _signals_received(wakeup: int) -> bytes:
    """Numbers of the signals that came, after waiting for one for a moment."""
    ready, _, _ = select.select([wakeup], [], [], _POLL_SECONDS)
    return os.read(wakeup, 64) if ready else b""


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor from which the numbers of arriving signals are read, one byte each."""

    def nothing(_number: int, _frame: FrameType | None) -> None:
        pass

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, nothing) for number in (*_STOPPING, signal.SIGCHLD)}
    try:
        yield reading
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _end_everything() -> None:
    """Kill what the work has left running, and wait until it is gone."""
    deadline = time.monotonic() + _REAP_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def _workflow_process() -> Any:
    with contextlib.suppress(psutil.Error):
        for parent in psutil.Process().parents():
            if any("snakemake" in Path(part).name for part in parent.cmdline()[:3]):
                return parent
    return None
