"""Run one command of the workflow: log file, scratch folder, signals, clear last words."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rivulet.errors import UserError
from rivulet.hardware.lock import device_lock
from rivulet.jobs.progress import Progress, duration, labelled
from rivulet.jobs.scratch import scratch_folder


class Stopped(BaseException):
    """The job was asked to end (a signal, or its workflow is gone); what is recorded stays.

    Like KeyboardInterrupt no Exception, so that no handler takes it for a failing candidate.
    """


@dataclass(frozen=True)
class Job:
    """What a command gets to work with.

    Attributes:
        label: Stage and subject, as progress lines show it.
        logger: Writes to the job's log file.
        scratch: A folder of the job's own, removed after it.
        terminal: Where the person looks; standard error of the command.
    """

    label: str
    logger: logging.Logger
    scratch: Path
    terminal: TextIO

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

        with device_lock(name, f"{self.label} in {Path.cwd()}", on_wait, shared):
            yield

    def progress(self, total: int, unit: str, done: int = 0) -> Progress:
        """Progress of this job towards ``total``, starting from ``done``."""
        return Progress(self.say, self.label, total, unit, done)


def run_job(label: str, log: Path | None, work: Callable[[Job], None]) -> int:
    """Run ``work`` and return the exit status of the command.

    Everything that the job and the libraries below it print goes to ``log``, with the
    traceback of a failure; the person sees progress and, at a failure, one line with the
    reason and the log's path.
    """
    started = time.monotonic()
    with _output_to(log) as terminal, scratch_folder() as scratch:
        logger = _logger()
        job = Job(label, logger, scratch, terminal)
        _end_in_order()
        logger.info("%s: started, command: %s", label, " ".join(sys.argv))
        where = f" (log: {log})" if log else ""
        try:
            work(job)
        except UserError as error:
            logger.error("%s", error)
            print(f"{label}: {error}{where}", file=terminal, flush=True)
            return 1
        except (Stopped, KeyboardInterrupt) as stop:
            logger.warning("stopped: %s", stop)
            print(f"{label}: stopped; what was recorded is kept", file=terminal, flush=True)
            return 143
        except Exception as error:
            logger.error("%s", traceback.format_exc())
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(
                f"{label}: {type(error).__name__}: {reason[-1]}{where}", file=terminal, flush=True
            )
            return 1
        logger.info("%s: done in %s", label, duration(time.monotonic() - started))
        return 0


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


def _end_in_order() -> None:
    """Turn SIGTERM into an exception, and send it when the workflow above us is killed.

    A killed Snakemake leaves its jobs running as orphans, which would hold the device while
    nobody waits for them.
    """

    def stop(number: int, _frame: object) -> None:
        raise Stopped(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    parent = _workflow_process()
    if parent is None:
        return

    def watch() -> None:
        while parent.is_running():
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _workflow_process() -> Any:
    import psutil

    with contextlib.suppress(psutil.Error):
        for parent in psutil.Process().parents():
            if any("snakemake" in Path(part).name for part in parent.cmdline()[:3]):
                return parent
    return None
