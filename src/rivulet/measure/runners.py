"""The processes that run kernels: one for this machine, or one for each device over RPC."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from rivulet.hardware.place import Connection, Location
from rivulet.measure import worker
from rivulet.measure.pool import Worker
from rivulet.measure.protocol import WorkerFailure

_WAIT = 1.0  # seconds that a process waits for a free device before it looks up
_PAUSE = 0.5  # seconds before a tracker is asked again that had nothing
# Neither the kernel nor the device is known to be at fault after one of these.
_EITHERS_FAULT = (worker.LOST, "timeout", "crash")


class Ask(Protocol):
    """Runs one of `rivulet.measure.worker.Kernels`' methods; raises `WorkerFailure`."""

    def __call__(self, name: str, *arguments: Any, timeout: float) -> Any:
        """Run it with these arguments, for ``timeout`` seconds at most."""


class Runners(Protocol):
    """What the bench needs of the processes that run kernels."""

    @property
    def pids(self) -> list[int | None]:
        """Their numbers; None for one that does not run."""

    def start(self) -> None:
        """Begin starting them."""

    def renew(self) -> None:
        """Go on in new processes."""

    def retire(self) -> None:
        """End them for good."""

    def each(self, count: int, work: Callable[[int, Ask], None]) -> None:
        """Do ``work`` for each number below ``count``.

        Args:
            count: How often.
            work: Gets the number and what runs a request. It is called again for the same number
                where a device was lost meanwhile.

        Raises:
            UserError: No device is to be had.
        """


class HereRunner(Runners):
    """One process on this machine, one request after the other.

    Args:
        process: The process.
    """

    def __init__(self, process: Worker) -> None:
        self._process = process

    @property
    def pids(self) -> list[int | None]:
        """Its number."""
        return [self._process.pid]

    def start(self) -> None:
        """Begin starting it."""
        self._process.start()

    def renew(self) -> None:
        """Go on in a new process."""
        self._process.close()
        self._process.start()
        self._process.settle()  # what it imports must not disturb the first measurement

    def retire(self) -> None:
        """End it for good."""
        self._process.retire()

    def each(self, count: int, work: Callable[[int, Ask], None]) -> None:
        """Do ``work`` for each number, in order."""
        for number in range(count):
            work(number, self._process.call)


def make_runners(location: Location, process: Callable[[], Worker]) -> Runners:
    """The runners of a place.

    Args:
        location: The place.
        process: Makes a worker process for it.
    """
    connection = location.connection
    if connection is None:
        return HereRunner(process())
    return RemoteRunners([process() for _ in range(connection.devices)], connection)


class RemoteRunners(Runners):
    """Processes that hold a session with a device each; a device measures one kernel at a time.

    A session that ends while a kernel runs may be the device's fault or the kernel's. So the
    kernel gets a second, new session: what fails there too is the kernel's fault. Where no session
    is to be had, kernels wait; the other devices go on, and take what a lost one has left.

    Args:
        processes: One for each device.
        connection: How devices are reached.
    """

    def __init__(self, processes: list[Worker], connection: Connection) -> None:
        self._processes, self._connection = processes, connection
        self._pool = ThreadPoolExecutor(len(processes))  # a worker ends with its thread

    @property
    def pids(self) -> list[int | None]:
        """Their numbers."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Begin starting all."""
        for process in self._processes:
            process.start()

    def renew(self) -> None:
        """Go on in new processes, with new sessions."""
        for process in self._processes:
            process.close()
        self.start()

    def retire(self) -> None:
        """End all for good."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.retire()
        self._pool.shutdown()

    def each(self, count: int, work: Callable[[int, Ask], None]) -> None:
        """Do ``work`` for each number, on whatever device is free."""
        batch = _Batch(count, work, self._connection)
        for one in [self._pool.submit(batch.serve, process) for process in self._processes]:
            one.result()
        if batch.failure is not None:
            raise batch.failure


class _SessionLost(Exception):
    """A request ended for a reason that may be the device's."""


class _Batch:
    """Work that some processes share."""

    def __init__(
        self, count: int, work: Callable[[int, Ask], None], connection: Connection
    ) -> None:
        self._work, self._connection = work, connection
        self._waiting = deque(range(count))
        self._left = count
        self._struck: set[int] = set()  # ended a session once
        self._changed = threading.Condition()
        self._connected = 0
        self._last_seen = time.monotonic()  # when a device was there
        self.failure: BaseException | None = None

    def serve(self, process: Worker) -> None:
        """Do work with one process until there is none left."""
        try:
            while self._wait_for_work():
                fresh = self._is_struck()
                if not self._connect(process, fresh):
                    return
                number = self._take(fresh)
                if number is None:  # another device was faster
                    continue
                with self._changed:
                    self._connected += 1
                try:
                    self._attempt(process, number)
                finally:
                    with self._changed:
                        self._connected -= 1
                        self._last_seen = time.monotonic()
        except BaseException as error:
            with self._changed:
                self.failure = self.failure or error
                self._changed.notify_all()

    def _attempt(self, process: Worker, number: int) -> None:
        def ask(name: str, *arguments: Any, timeout: float) -> Any:
            # Sessions are renewed between two requests, and not in the middle of one.
            needed = min(timeout, 0.9 * self._connection.session_timeout_s)
            try:
                self._open(process, needed)
            except WorkerFailure as failure:
                raise _SessionLost from failure
            try:
                return process.call(name, *arguments, timeout=timeout)
            except WorkerFailure as failure:
                if failure.kind not in _EITHERS_FAULT:
                    raise
                process.close()
                if number not in self._struck:
                    self._struck.add(number)
                    raise _SessionLost from failure
                raise _second(failure) from failure

        try:
            self._work(number, ask)
        except _SessionLost:
            with self._changed:
                self._waiting.appendleft(number)
                self._changed.notify_all()
            return
        with self._changed:
            self._left -= 1
            self._changed.notify_all()

    def _is_over(self) -> bool:
        return self._left == 0 or self.failure is not None

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over())
            return not self._is_over()

    def _is_struck(self) -> bool:
        with self._changed:
            return bool(self._waiting) and self._waiting[0] in self._struck

    def _take(self, fresh: bool) -> int | None:
        with self._changed:
            if not self._waiting or (self._waiting[0] in self._struck and not fresh):
                return None
            return self._waiting.popleft()

    def _connect(self, process: Worker, fresh: bool) -> bool:
        """Get a session, or keep the one there is; false when the work is over meanwhile."""
        if fresh:
            process.close()
        while True:
            reason = self._try_to_open(process)
            if not reason:
                return True
            with self._changed:
                alone = self._connected == 0
                limit = self._connection.connect_timeout_s * (1 + self._connection.retries)
                if alone and time.monotonic() - self._last_seen > limit:
                    raise self._connection.trouble(reason)
                if self._changed.wait_for(self._is_over, _PAUSE):
                    return False

    def _try_to_open(self, process: Worker) -> str:
        """Open a session; returns the reason why there is none."""
        try:
            self._open(process, 0.0)
        except WorkerFailure as failure:
            return str(failure).removeprefix(f"{worker.UNREACHABLE}: ")
        return ""

    def _open(self, process: Worker, needed: float) -> None:
        limit = self._connection.connect_timeout_s
        process.call("open", min(_WAIT, limit), needed, timeout=limit + _WAIT)


def _second(failure: WorkerFailure) -> WorkerFailure:
    """The same failure, when it came about in two sessions."""
    _, _, text = str(failure).partition(": ")
    if failure.kind == worker.LOST:
        return WorkerFailure("crash", f"the device's session ended twice while it ran ({text})")
    return WorkerFailure(failure.kind, f"{text}, in each of two sessions")
