"""Worker processes as seen from the process that uses them.

No library of process pools bounds a worker's memory, or keeps the last words of one that died.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.hardware.place import HERE, Location
from rivulet.measure import worker
from rivulet.measure.printed import Printed
from rivulet.measure.protocol import WorkerFailure

_START_TIMEOUT = 120.0
_LEAVES_NOTHING = ("open",)  # requests that do not count for a process's lifetime
_GIB = 1024**3


class Worker:
    """One worker process, started at its first request and again after it died.

    Args:
        threads: Threads that kernels run on.
        max_uses: Requests after which the process is replaced, which bounds what it leaks.
        memory_gib: Memory that a request may take, in GiB. A process that holds half of it
            between two requests is replaced.
        model_weights: Bytes of weights that the model reads between two runs of a kernel; None
            for more than any cache holds.
        location: Where kernels run.
        cpus: CPUs that the process may use; by default those that this thread is pinned to.
    """

    def __init__(
        self,
        threads: int,
        max_uses: int,
        memory_gib: float,
        model_weights: int | None = None,
        *,
        location: Location = HERE,
        cpus: Collection[int] = (),
    ) -> None:
        self._cpus = ",".join(map(str, sorted(cpus)))
        self._threads, self._max_uses, self._memory_gib = threads, max_uses, memory_gib
        self._model_weights, self._location = model_weights, location
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = Printed()
        self._uses = 0
        self._resident_at_start = 0
        self._retired = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return self._process.pid if self._process is not None else None

    def call(self, name: str, *arguments: Any, timeout: float) -> Any:
        """Run one of `rivulet.measure.worker.Kernels`' methods and return its result.

        Raises:
            WorkerFailure: It raised, needed too much memory, took longer than ``timeout``
                seconds (the process is killed then), or the process died.
        """
        self._ensure_started()
        return self._request(name, arguments, timeout)

    def start(self) -> None:
        """Begin starting the process now; the next `call` waits for it."""
        if self._process is None:
            self._spawn()

    def settle(self) -> None:
        """Wait until a process that is being started is up, and uses no CPU any more."""
        if self._process is not None and self._uses < 0:
            self._ensure_started()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._kill(self._process)
            self._process.communicate()
            self._process = None
            self._printed.pass_on()

    def retire(self) -> None:
        """End the process for good, also while another thread waits for its reply."""
        self._retired = True
        process = self._process
        if process is not None:
            self._kill(process)
            process.wait()
            self._printed.pass_on()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return  # it was waited for, so its number may be another's by now
        # The whole group: a linker that outlives its worker writes a file nobody removes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _spawn(self) -> None:
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        given = [self._threads, int(self._memory_gib * _GIB), self._location.to_json(), self._cpus]
        if self._model_weights is not None:
            given.append(self._model_weights)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rivulet.measure.worker", *map(str, given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed.fileno(),
            env={**os.environ, "PYTHONPATH": path, "TVM_NUM_THREADS": str(self._threads)},
            bufsize=0,
            process_group=0,
        )
        self._uses = -1  # not yet greeted

    def _ensure_started(self) -> None:
        if self._retired:
            raise WorkerFailure("error", "the bench was closed")
        if self._is_spent():
            self.close()
        if self._process is None:
            self._spawn()
        if self._uses < 0:
            try:
                threads = self._request("ping", (), _START_TIMEOUT)
            except WorkerFailure as failure:
                raise UserError(
                    f"a measuring process could not start ({failure}); the log has its output"
                ) from failure
            if threads != self._threads:
                raise UserError(
                    f"a measuring process runs kernels on {threads} thread(s), not "
                    f"{self._threads}; check hardware threads against the usable CPUs"
                )
            self._uses = 0
            self._resident_at_start = self._resident()

    def _is_spent(self) -> bool:
        """Has the process died unasked, done its share, or kept too much memory?"""
        if self._process is None or self._uses < 0:
            return False
        if self._process.poll() is not None or self._uses >= self._max_uses:
            return True
        kept = self._resident() - self._resident_at_start
        return kept > self._memory_gib * _GIB / 2

    def _resident(self) -> int:
        """Resident memory of the process in bytes."""
        assert self._process is not None
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except OSError:
            return 0  # it has just died, which the request will show
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _request(self, name: str, arguments: tuple[Any, ...], timeout: float) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        self._uses += name not in _LEAVES_NOTHING
        try:
            worker.write_message(self._process.stdin, (name, arguments))  # type: ignore[arg-type]
            kind, value = self._reply(time.monotonic() + timeout)
        except TimeoutError:
            self.close()
            raise WorkerFailure("timeout", f"no result within {timeout:g} s") from None
        except (EOFError, BrokenPipeError):
            raise self._death() from None
        self._printed.pass_on()
        if kind == worker.OUT_OF_MEMORY:
            self.close()  # what the failed request has left behind is in the next one's way
            raise self._out_of_memory()
        if kind == worker.CONFIGURATION:
            raise UserError(value)
        if kind == worker.BROKEN:
            self.close()  # the next request gets a process whose GPU works
            raise WorkerFailure(worker.ERROR, value)
        if kind != worker.OK:
            raise WorkerFailure(kind, value)
        return value

    def _reply(self, deadline: float) -> tuple[str, Any]:
        import pickle

        size = int.from_bytes(self._read(worker.LENGTH_BYTES, deadline), "little")
        reply: tuple[str, Any] = pickle.loads(self._read(size, deadline))
        return reply

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(descriptor, size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _death(self) -> WorkerFailure:
        """Why the process died, from its status and its last words."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            status = 0
        last_words = self._printed.pass_on()
        self.close()
        if status < 0 and worker.tells_of_memory(last_words):
            return self._out_of_memory()
        if status == -signal.SIGKILL:
            return WorkerFailure(
                "crash",
                "the process was ended by SIGKILL, as the system does when the machine is out of "
                "memory",
            )
        if status < 0:
            name = signal.Signals(-status).name
            return WorkerFailure("crash", f"the process was ended by {name}")
        return WorkerFailure("crash", f"the process ended with status {status}")

    def _out_of_memory(self) -> WorkerFailure:
        text = f"it needs more than {self._memory_gib:g} GiB (measure.worker_memory_gib)"
        return WorkerFailure(worker.OUT_OF_MEMORY, text)
