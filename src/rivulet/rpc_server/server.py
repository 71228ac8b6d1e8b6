"""A process that offers this machine's device to a tracker, session by session."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

from rivulet.errors import last_line
from rivulet.kinship import end_with_parent
from rivulet.tvm_compat import load_tvm
from rivulet.tvm_compat.pinning import BIND

_LOGGER = logging.getLogger("server")
_PAUSE = 0.1


def serve_device(
    listening: socket.socket,
    tracker: tuple[str, int],
    key: str,
    threads: int | None,
    *,
    public_address: str | None = None,
) -> None:
    """Serve for ever: each session in a process of its own, one after the other.

    A kernel that ends its session's process ends TVM's own server with it; this one goes on.

    Args:
        listening: Socket that listens for sessions.
        tracker: Its host and port.
        key: Key to register under.
        threads: Threads of kernels; None for what TVM takes, half of the CPUs.
        public_address: Host that the tracker gives to clients; None for the one it sees.
    """
    if threads is not None:
        os.environ["TVM_NUM_THREADS"] = str(threads)
    load_tvm()
    os.environ[BIND] = "1"  # read by the pool of each session
    from tvm.rpc import server

    server.logger.setLevel(logging.WARNING)
    # A session that outlives its server would keep the device busy, unseen by the tracker.
    os.register_at_fork(after_in_child=_become_a_session)
    port, folder = listening.getsockname()[1], Path.cwd()
    while True:
        try:
            server._listen_loop(listening, port, key, tracker, None, public_address)
        except Exception as error:  # TVM's own are of no common kind
            _LOGGER.warning("%s", last_line(error))
            for session in multiprocessing.active_children():
                session.kill()  # TVM leaves it running where its client is gone already
            os.chdir(folder)  # a session that fails leaves the server in a folder that is removed
            time.sleep(_PAUSE)


def _become_a_session() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # how a session ends whose time is over
    end_with_parent()
