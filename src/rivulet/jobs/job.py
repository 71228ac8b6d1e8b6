"""Run one command of the workflow: log file, scratch folder, signals, clear last words."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rivulet.errors import UserError, last_line
from rivulet.hardware.fingerprint import Device
from rivulet.hardware.lock import device_lock, file_lock
from rivulet.jobs.failures import note_failure
from rivulet.jobs.progress import Progress, duration, labelled
from rivulet.jobs.scratch import scratch_folder
from rivulet.jobs.supervisor import Ending, run_supervised

_STOPPED = 143  # what a shell reports of a process that SIGTERM ended


@dataclass(frozen=True)
class Job:
    """What a command gets to work with.

    Attributes:
        label: Stage and subject, as progress lines show it.
        logger: Writes to the job's log file.
        scratch: A folder of the job's own, removed after it.
        terminal: Where the person looks; standard error of the command.
        failures: File in which a workflow collects why its jobs fail; None outside of one.
    """

    label: str
    logger: logging.Logger
    scratch: Path
    terminal: TextIO
    failures: Path | None = None

    def say(self, text: str) -> None:
        """Write one line to the person and to the log."""
        self.logger.info(text)
        print(text, file=self.terminal, flush=True)

    def tell(self, text: str) -> None:
        """Write one line with the job's label before it."""
        self.say(labelled(self.label, text))

    @contextmanager
    def device(self, name: str, shared: bool = False) -> Iterator[None]:
        """Hold a device, alone or (measuring nothing) ``shared``; say for whom the job waits."""

        def on_wait(holder: str) -> None:
            self.tell(f"waiting for the device '{name}', in use by {holder}")

        with device_lock(name, self._holder(), on_wait, shared):
            yield

    @contextmanager
    def measuring(self, device: Device) -> Iterator[None]:
        """Hold what a measurement on a device needs for itself; say for whom the job waits."""
        with ExitStack() as held:
            for name, shared in device.locks:
                held.enter_context(self.device(name, shared))
            yield

    @contextmanager
    def alone(self, folder: Path, what: str) -> Iterator[None]:
        """Hold a folder that one job at a time may write to; say for whom the job waits.

        Args:
            folder: The folder; made when it is not there.
            what: What is in it, as the waiting job calls it.
        """

        def on_wait(holder: str) -> None:
            self.tell(f"waiting for {what}, in use by {holder}")

        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / "writer.lock", self._holder(), on_wait):
            yield

    def _holder(self) -> str:
        return f"{self.label} in {Path.cwd()}"

    def progress(self, total: int, unit: str, done: int = 0) -> Progress:
        """Progress of this job towards ``total``, starting from ``done``."""
        return Progress(self.say, self.label, total, unit, done=done)


def run_job(
    label: str,
    log: Path | None,
    work: Callable[[Job], None],
    failures: Path | None = None,
) -> int:
    """Run ``work`` and return the exit status of the command.

    Everything that the job and the libraries below it print goes to ``log``, with the
    traceback of a failure; the person sees progress and, at a failure, one line with the
    reason and the log's path.
    """
    with _output_to(log) as terminal, scratch_folder() as scratch:
        job = Job(label, _logger(), scratch, terminal, failures)
        job.logger.info("%s: started, command: %s", label, " ".join(sys.argv))
        where = f" (log: {log})" if log else ""
        return _status(job, run_supervised(lambda: _finish(job, work, where)), where)


def _finish(job: Job, work: Callable[[Job], None], where: str) -> int:
    """Do the work and say how it went; returns the exit status."""
    started = time.monotonic()
    try:
        work(job)
    except UserError as error:
        # With what it came of, where there is more than the line that a person sees.
        job.logger.error("%s", traceback.format_exc() if error.__cause__ else error)
        _fail(job, f"{job.label}: {error}{where}")
        return 1
    except Exception as error:
        job.logger.error("%s", traceback.format_exc())
        _fail(job, f"{job.label}: {type(error).__name__}: {last_line(error)}{where}")
        return 1
    job.logger.info("%s: done in %s", job.label, duration(time.monotonic() - started))
    return 0


def _fail(job: Job, text: str) -> None:
    """Tell the person why the job fails, now and at the end of the workflow."""
    if job.failures is not None:
        note_failure(text, job.failures)
    print(text, file=job.terminal, flush=True)


def _status(job: Job, ending: Ending, where: str) -> int:
    """Exit status of the command, after saying what the work itself could not say."""
    if ending.stopped_by:
        job.say(
            f"{job.label}: stopped by {ending.stopped_by}; what was recorded is kept, and the "
            "same command goes on from there"
        )
        return _STOPPED
    if ending.status is None:
        guess = ", most likely for want of memory" if ending.killed_by == "SIGKILL" else ""
        text = (
            f"{job.label}: the process was ended by {ending.killed_by}{guess}; what was recorded "
            f"is kept, and the same command goes on from there{where}"
        )
        job.logger.error(text)
        _fail(job, text)
        return 1
    return ending.status


@contextmanager
def _output_to(log: Path | None) -> Iterator[TextIO]:
    """Send file descriptors 1 and 2 to the log; yield the terminal that 2 was.

    On the level of descriptors, because compilers and runtimes write past Python.
    """
    if log is None:
        yield sys.stderr
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err = os.dup(1), os.dup(2)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    terminal = os.fdopen(os.dup(saved_err), "w", encoding="utf-8", errors="replace")
    try:
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved_out, 1)
        os.dup2(saved_err, 2)
        for saved in (saved_out, saved_err):
            os.close(saved)
        with contextlib.suppress(BrokenPipeError):
            terminal.close()


def _logger() -> logging.Logger:
    logger = logging.getLogger("rivulet")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.handlers = [handler]
    return logger
