"""Real RPC trackers and servers on loopback, as processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil

from rivulet.hardware.place import Connection
from rivulet.hardware.tracker import Tracker, TrackerUnreachable

KEY = "board"
COMMAND = [sys.executable, "-m", "rivulet", "rpc"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Fleet:
    """One run of ``rivulet rpc``."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def connection(self, **changed):
        settings = {
            "devices": 1, "session_timeout_s": 60.0, "connect_timeout_s": 5.0, "retries": 2,
        }  # fmt: skip
        return Connection(self.address, KEY, **{**settings, **changed})

    def servers(self):
        """Processes that were started, the tracker among them."""
        return psutil.Process(self.process.pid).children()

    def sessions(self):
        """Processes that serve a session now."""
        found = [session for server in self.servers() for session in server.children()]
        return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]

    def kill(self):
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def fleet(devices, port=None, join=None):
    """Start a tracker with devices, or devices that join another fleet's tracker."""
    port = join.port if join else port or free_port()
    where = ["--tracker", f"127.0.0.1:{port}"] if join else ["--port", str(port)]
    before = servers_at(join.address)[0] if join else 0
    process = subprocess.Popen(
        [
            *COMMAND, *where, "--devices", str(devices),
            "--key", KEY, "--threads", "1",
        ],
        stderr=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != "TVM_NUM_THREADS"},
    )  # fmt: skip
    one = Fleet(process, port)
    try:
        wait_for(lambda: servers_at(one.address)[0] == before + devices, 60)
        yield one
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def servers_at(address):
    """Servers that the tracker knows, and how many are free; (0, 0) without a tracker."""
    host, port = address.split(":")
    try:
        with Tracker((host, int(port)), 5) as tracker:
            return tracker.servers(KEY)
    except TrackerUnreachable:
        return 0, 0


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
