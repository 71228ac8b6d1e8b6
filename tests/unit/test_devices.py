"""Devices over RPC without TVM: their names, locks and connections, and the tracker's protocol."""

import asyncio
import json
import socket
import struct
import threading

import pytest

from rivulet.config import validate_config
from rivulet.errors import UserError
from rivulet.hardware import Device, fingerprint
from rivulet.hardware.place import Connection, Location
from rivulet.hardware.tracker import PENDING, PUT, UPDATE_INFO, Tracker, TrackerUnreachable
from rivulet.rpc_server.tracker import Tracker as TrackerServer
from rivulet.stages.main import stage_class
from rivulet.workflow.choices import baselines_of, device_of
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import stage_settings
from rpc_fleet import wait_for


def configured(**rpc):
    reached = {"tracker": "10.0.0.1:9190", "key": "pi4", **rpc}
    board = {"runner": "rpc", "target": {"kind": "llvm"}, "threads": 4, "rpc": reached}
    hardware = {"board": board, "local": {"threads": 1}}
    return validate_config({"models": {"a": {"torchvision": "resnet18"}}, "hardware": hardware})


def test_where_a_device_is_reached_is_part_of_no_result():
    one, other = configured(), configured(tracker="h:1", devices=3, session_timeout_s=99)
    for stage in ("search", "transfer", "benchmark", "package"):
        assert stage_settings(Plan(one), stage, hardware="board") == stage_settings(
            Plan(other), stage, hardware="board"
        )
    assert Plan(one).device("board").connection.tracker == "10.0.0.1:9190"
    assert Plan(other).device("board").connection.tracker == "h:1"
    assert Plan(one).device("local").connection is None


def test_another_key_or_target_is_another_device():
    base = device_of(configured(), "board")
    assert fingerprint(base) != fingerprint(device_of(configured(key="pi5"), "board"))
    local = Device("local", base.target, base.threads)
    assert fingerprint(base) != fingerprint(local)
    assert "key" not in json.loads(local.to_json())  # what is known of local devices stays as it is


def test_a_job_is_told_by_the_plan_how_the_device_is_reached(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configured(compiler="some-gcc")
    Plan(config).write()
    plan = Plan.read(Plan(config).path)
    stage = stage_class("search")(plan, {"model": "a", "hardware": "board", "trials": "5"})
    device = stage.device
    assert device == device_of(config, "board")
    assert device.location == Location("cpu", 0, 4, device_of(config, "board").connection)
    assert device.linker == "some-gcc"
    assert Location.from_json(device.location.to_json()) == device.location
    with pytest.raises(UserError, match="nothing says how it is reached"):
        Device.from_json(stage.settings.device).location  # noqa: B018


def test_locks_are_those_of_the_device_and_of_the_cpu_that_compiles():
    assert Device("local", "auto", 1).locks == [("cpu", False)]
    locks = device_of(configured(), "board").locks
    assert locks == [("cpu", True), ("rpc-10.0.0.1_9190-pi4", False)]


def test_other_runtimes_are_no_baselines_on_a_device():
    config = configured()
    assert baselines_of(config, "a", "board") == ["untuned"]
    assert baselines_of(config, "a", "local") == ["untuned", "onnxruntime", "torch"]


def test_a_device_of_another_architecture_needs_something_that_links():
    rpc = {"tracker": "h:1", "key": "k"}
    settings = {
        "target": {"kind": "llvm", "mtriple": "riscv64-linux-gnu"}, "threads": 1, "runner": "rpc",
        "rpc": rpc,
    }  # fmt: skip
    with pytest.raises(UserError, match=r"hardware\.x\.rpc\.compiler: .* riscv64-linux-gnu-gcc"):
        Device.from_settings("x", settings)
    rpc["compiler"] = "riscv64-linux-gnu-gcc"
    assert Device.from_settings("x", settings).architecture == "riscv64"


@pytest.mark.parametrize(
    ("text", "address"), [("host:9190", ("host", 9190)), ("[::1]:90", ("::1", 90))]
)
def test_addresses_are_split(text, address):
    assert Connection(text, "k").address == address


@pytest.fixture
def tracker():
    """Port of a tracker in this process."""
    listening = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    task = loop.create_task(TrackerServer().serve(listening))

    def run():
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield "127.0.0.1", listening.getsockname()[1]
    loop.call_soon_threadsafe(task.cancel)
    thread.join()


class FakeServer(Tracker):
    """Registers as a server does."""

    def say(self, message):
        data = json.dumps(message).encode()
        self._socket.sendall(struct.pack("<i", len(data)) + data)
        (size,) = struct.unpack("<i", self._received(4))
        return json.loads(self._received(size))

    def offer(self, key, port, match):
        assert self.say([UPDATE_INFO, {"key": f"server:{key}", "addr": [None, port]}]) == 0
        assert self.say([PUT, key, [port, match], None]) == 0


def test_the_tracker_hands_out_each_server_once(tracker):
    with FakeServer(tracker, 5) as server, Tracker(tracker, 5) as first, Tracker(tracker, 5) as on:
        assert first.servers("k") == (0, 0)
        server.offer("k", 7, "k:0.1")
        assert first.servers("k") == (1, 1)
        assert first.servers("other") == (0, 0)
        assert server.say([PENDING]) == ["k:0.1"]
        assert first.request("k") == ("127.0.0.1", 7, "k:0.1")
        assert first.servers("k") == (1, 0)
        assert server.say([PENDING]) == []
        waiting = threading.Thread(target=lambda: got.append(on.request("k")))
        got = []
        waiting.start()
        assert server.say([PUT, "k", [7, "k:0.2"], "board"]) == 0
        waiting.join(5)
        assert got == [("board", 7, "k:0.2")]


def test_a_server_that_is_gone_is_not_handed_out_and_a_request_is_taken_back(tracker):
    with Tracker(tracker, 5) as client:
        with FakeServer(tracker, 5) as server:
            server.offer("k", 7, "k:0.1")
            assert client.servers("k") == (1, 1)
        wait_for(lambda: client.servers("k") == (0, 0), 10)
        with pytest.raises(TrackerUnreachable), Tracker(tracker, 0.2) as impatient:
            impatient.request("k")
        with FakeServer(tracker, 5) as server:
            server.offer("k", 8, "k:0.2")
            assert client.servers("k") == (1, 1)  # nobody waits any more


def test_a_stranger_is_no_tracker():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = silent.getsockname()
        with pytest.raises(TrackerUnreachable, match="timed out"):
            Tracker(address, 0.2)
    with pytest.raises(TrackerUnreachable, match="Connection refused"):
        Tracker(address, 0.2)
