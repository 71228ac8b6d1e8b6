"""Worker processes as seen from the process that uses them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rivulet.errors import UserError
from rivulet.measure import worker

_START_TIMEOUT = 120.0


class WorkerFailure(Exception):
    """A request failed: ``kind`` is ``error``, ``timeout`` or ``crash``."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Worker:
    """One worker process, started at its first request and again after it died.

    Args:
        threads: Threads that kernels run on.
        max_uses: Requests after which the process is replaced, which bounds its memory.
    """

    def __init__(self, threads: int, max_uses: int) -> None:
        self._threads, self._max_uses = threads, max_uses
        self._process: subprocess.Popen[bytes] | None = None
        self._uses = 0
        self._retired = False

    def call(self, name: str, *arguments: Any, timeout: float) -> Any:
        """Run one of `rivulet.measure.worker.Kernels`' methods and return its result.

        Raises:
            WorkerFailure: It raised, took longer than ``timeout`` seconds (the process is
                killed then), or the process died.
        """
        self._ensure_started()
        return self._request(name, arguments, timeout)

    def start(self) -> None:
        """Begin starting the process now; the next `call` waits for it."""
        if self._process is None:
            self._spawn()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def retire(self) -> None:
        """End the process for good, also while another thread waits for its reply."""
        self._retired = True
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _spawn(self) -> None:
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rivulet.measure.worker", str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "TVM_NUM_THREADS": str(self._threads)},
            bufsize=0,
        )
        self._uses = -1  # not yet greeted

    def _ensure_started(self) -> None:
        if self._retired:
            raise WorkerFailure("error", "the bench was closed")
        if self._uses >= self._max_uses:
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

    def _request(self, name: str, arguments: tuple[Any, ...], timeout: float) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        self._uses += 1
        try:
            worker.write_message(self._process.stdin, (name, arguments))  # type: ignore[arg-type]
            ok, value = self._reply(time.monotonic() + timeout)
        except TimeoutError:
            self.close()
            raise WorkerFailure("timeout", f"no result within {timeout:g} s") from None
        except (EOFError, BrokenPipeError):
            raise WorkerFailure("crash", self._death()) from None
        if not ok:
            raise WorkerFailure("error", value)
        return value

    def _reply(self, deadline: float) -> tuple[bool, Any]:
        import pickle

        size = int.from_bytes(self._read(worker.LENGTH_BYTES, deadline), "little")
        reply: tuple[bool, Any] = pickle.loads(self._read(size, deadline))
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

    def _death(self) -> str:
        assert self._process is not None
        try:
            status = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            status = 0
        self.close()
        if status < 0:
            return f"the process was ended by {signal.Signals(-status).name}"
        return f"the process ended with status {status}"
