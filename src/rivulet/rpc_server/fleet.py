"""Start a tracker and servers as processes of their own, keep them alive, and end them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from rivulet.errors import UserError
from rivulet.kinship import end_with_parent
from rivulet.rpc_server.server import serve_device
from rivulet.rpc_server.tracker import Tracker

_POLL_SECONDS = 0.1
_RESTART_SECONDS = 1.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Fleet:
    """What is started.

    Attributes:
        host: Address to listen on.
        port: Port of the tracker.
        tracker: Tracker elsewhere that servers register at; None to start one here.
        key: Key that servers register under.
        devices: Servers to start.
        threads: Threads that each runs kernels on; None for what TVM takes.
        first_port: Port of the first server, each further one has the next; 0 for any.
        public_host: Host that clients reach these servers at; None for what the tracker sees.
    """

    host: str
    port: int
    tracker: tuple[str, int] | None
    key: str
    devices: int
    threads: int | None
    first_port: int = 0
    public_host: str | None = None


def run_fleet(fleet: Fleet, say: Callable[[str], None]) -> int:
    """Run everything until SIGINT or SIGTERM; returns the exit status.

    A process that ends is started again.

    Raises:
        UserError: A port cannot be listened on.
    """
    stopped: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)

    for number in _STOPPING:
        signal.signal(number, stop)
    works = dict(_works(fleet, say))
    running = {_start(work): name for name, work in works.items()}
    try:
        while not stopped:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                time.sleep(_POLL_SECONDS)
                continue
            name = running.pop(pid, None)
            if name is None:
                continue
            say(f"{name} ended ({_reason(status)}) and is started again")
            time.sleep(_RESTART_SECONDS)
            running[_start(works[name])] = name
    finally:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in running:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    return 0


def _works(fleet: Fleet, say: Callable[[str], None]) -> list[tuple[str, Callable[[], None]]]:
    """Name and work of each process, with the socket that it listens on, opened already."""
    works: list[tuple[str, Callable[[], None]]] = []
    tracker = fleet.tracker
    if tracker is None:
        listening = _listen(fleet.host, fleet.port)
        tracker = ("127.0.0.1" if fleet.host == "0.0.0.0" else fleet.host, fleet.port)
        works.append(("the tracker", lambda: asyncio.run(Tracker().serve(listening))))
        say(f"tracker: {fleet.host}:{fleet.port}")
    at = tracker
    for number in range(fleet.devices):
        opened = _listen(fleet.host, fleet.first_port and fleet.first_port + number)

        def serve(opened: socket.socket = opened) -> None:
            serve_device(opened, at, fleet.key, fleet.threads, public_address=fleet.public_host)

        name = f"server {number + 1}"
        works.append((name, serve))
        say(f"{name}: {fleet.host}:{opened.getsockname()[1]}, key {fleet.key}")
    return works


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port"
        ) from error


def _start(work: Callable[[], None]) -> int:
    parent = os.getpid()
    child = os.fork()
    return child or _become(parent, work)


def _become(parent: int, work: Callable[[], None]) -> NoReturn:
    """Do the work in this process, which ends with its parent."""
    try:
        for number in _STOPPING:
            signal.signal(number, signal.SIG_IGN)  # of the terminal; the parent decides
        end_with_parent()
        if os.getppid() == parent:
            work()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except Exception:
        logging.getLogger("rpc").exception("it ends")
    finally:
        os._exit(1)


def _reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"status {os.WEXITSTATUS(status)}"
