"""A device that is reached over TVM's RPC: a session with a server that a tracker found."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from rivulet.errors import UserError, last_line
from rivulet.hardware.place import CPU, Location, Place, PlaceUnreachable
from rivulet.hardware.tracker import Tracker, TrackerUnreachable
from rivulet.tvm_compat import sessions

_PAUSE = 0.5  # seconds before a tracker is asked again that had nothing
_LEAST_WAIT = 0.2


class RemotePlace(Place):
    """A session with one device; no other client has the device meanwhile.

    Args:
        location: Which device, and how it is reached.
        seconds: How long to wait for a free one; None for as long as is configured.

    Raises:
        PlaceUnreachable: No tracker, no server under the key, or none that is free in time.
        UserError: The server runs kernels on another number of threads.
    """

    def __init__(self, location: Location, seconds: float | None = None) -> None:
        super().__init__(location)
        assert location.connection is not None
        self._connection = location.connection
        wait = self._connection.connect_timeout_s if seconds is None else seconds
        self._session = self._open(wait)
        self._ends = time.monotonic() + self._connection.session_timeout_s
        self.device = self._session.device(location.kind, location.index)
        self._names = itertools.count()
        self._check_threads()

    def load(self, path: Path | str) -> Any:
        """Send a shared library of the device's architecture there and load it."""
        name = f"{next(self._names)}-{Path(path).name}"
        self._session.upload(str(path), name)
        module = self._session.load_module(name)
        self._session.remove(name)  # it is mapped by now, and boards have little room
        return module

    def function(self, name: str) -> Any:
        """A global function of the runtime on the device."""
        return self._session.get_function(name)

    def filled(self, shape: tuple[int, ...], dtype: str) -> Any:
        """A tensor of random numbers; made here where the device's runtime cannot."""
        try:
            return super().filled(shape, dtype)
        except Exception:  # TVM's runtime for small devices is built without its random functions
            if not self.alive():
                raise
            values = np.random.default_rng(0).uniform(1, 10, shape)
            return self.tensor(values.astype(dtype))

    def alive(self) -> bool:
        """Whether the session's server still answers."""
        return sessions.answers(self._session)

    def close(self) -> None:
        """End the session: the device is free for others, whatever still refers to it here."""
        sessions.end(self._session)

    def seconds_left(self) -> float:
        """Seconds until the server ends the session."""
        return self._ends - time.monotonic()

    def _open(self, wait: float) -> Any:
        """Get a session; a tracker or server that starts just now is asked again."""
        end = time.monotonic() + min(wait, self._connection.connect_timeout_s)
        while True:
            try:
                return self._try_to_open(max(_LEAST_WAIT, end - time.monotonic()))
            except PlaceUnreachable:
                if time.monotonic() + _PAUSE > end:
                    raise
                time.sleep(_PAUSE)

    def _try_to_open(self, wait: float) -> Any:
        from tvm import rpc

        connection = self._connection
        try:
            with Tracker(connection.address, wait) as tracker:
                there, free = tracker.servers(connection.key)
                if not there:
                    raise PlaceUnreachable("the tracker knows no server of this key")
                try:
                    host, port, match = tracker.request(connection.key)
                except TrackerUnreachable as error:
                    if free:
                        raise
                    raise PlaceUnreachable(f"all {there} server(s) are in use") from error
        except TrackerUnreachable as error:
            raise PlaceUnreachable(f"no answer of the tracker: {error}") from error
        try:
            return rpc.connect(host, port, match, connection.session_timeout_s)
        except Exception as error:  # TVM's own, of no common kind
            raise PlaceUnreachable(
                f"the server {host}:{port} does not answer: {last_line(error)}"
            ) from error

    def _check_threads(self) -> None:
        if self.location.kind != CPU:
            return
        try:
            threads = int(self.function("runtime.NumThreads")())
        except Exception as error:
            if self.alive():
                return  # a runtime that cannot be asked
            raise PlaceUnreachable("the session was lost as soon as it was there") from error
        if threads != self.location.threads:
            raise UserError(
                f"the server of '{self._connection.key}' at {self._connection.tracker} runs "
                f"kernels on {threads} thread(s), but {self.location.threads} are configured; "
                f"start it with TVM_NUM_THREADS={self.location.threads}, or change the hardware's "
                "'threads'"
            )
