"""Devices over RPC: real servers on loopback, which are killed, hung and started again."""

import json
import struct
import subprocess
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from test_bench_limits import GOOD, LOOPS, WRITES_ELSEWHERE, module

from conftest import MEASURE
from rivulet.benchmark.compile import compile_model
from rivulet.benchmark.estimates import Sampling, Stopping
from rivulet.benchmark.in_place import prove_in_place
from rivulet.benchmark.interleave import TimingSettings
from rivulet.benchmark.repeat import repeat_benchmark
from rivulet.benchmark.subject import Subject
from rivulet.benchmark.untuned import Subject as Model
from rivulet.benchmark.untuned import look_at_untuned
from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.open_place import at_place, open_place
from rivulet.hardware.place import Connection
from rivulet.hardware.target import resolve_target
from rivulet.log_tools.validate import sample_records, validate_records
from rivulet.measure.bench import Bench
from rivulet.measure.roofline import BANDWIDTH, COMPUTE, measure_roofline
from rivulet.records import TuningLog
from rivulet.records.stored import read_log
from rpc_fleet import COMMAND, KEY, fleet, free_port, servers_at, wait_for
from tuning_runs import run_search

TRIALS = 32
INPUTS = [{"name": "input", "shape": [1, 3, 8, 8], "dtype": "float32"}]


@pytest.fixture(scope="module")
def boards():
    """Two devices at one tracker."""
    with fleet(2) as one:
        yield one


@pytest.fixture
def free_boards(boards):
    """The same, once nobody uses them any more."""
    wait_for(lambda: servers_at(boards.address) == (2, 2), 30)
    return boards


def device_at(one, **changed):
    connection = one.connection(**changed)
    return Device("board", '{"kind": "llvm"}', 1, "rpc", KEY, connection)


def bench_at(one, scratch, devices=1, measure=None, **changed):
    device = device_at(one, devices=devices, **changed)
    settings = {**MEASURE, **(measure or {})}
    return Bench(resolve_target(device), 1, settings, scratch, location=device.location)


def search(kernels, target, bench, folder, logger, report=lambda *_: None):
    log = TuningLog(folder, logger)
    run_search(kernels, target, TRIALS, log, bench, report=report)
    return log


def test_kernels_are_searched_on_two_devices_at_once(
    free_boards, kernels, target, tmp_path, logger
):
    most = 0

    def report(*_):
        nonlocal most
        most = max(most, len(free_boards.sessions()))

    with bench_at(free_boards, tmp_path, devices=2) as bench:
        log = search(kernels, target, bench, tmp_path / "log", logger, report)
    assert most == 2
    assert len(log.trials) == TRIALS
    assert [trial.trial for trial in log.trials] == list(range(1, TRIALS + 1))
    assert not [trial.error for trial in log.trials if trial.error]


def test_results_come_in_the_order_of_the_candidates(free_boards, kernels, tmp_path):
    slow, fast = kernels[1].module, module(GOOD, factor=2)
    with bench_at(free_boards, tmp_path, devices=2) as bench:
        results = bench.measure([fast, slow] * 4, groups=list(range(8)))
        assert all(one.samples for one in results)
        pairs = zip(results[::2], results[1::2], strict=True)
        assert all(first.latency < second.latency for first, second in pairs)
        seen = bench.compare([slow, fast], [slow, fast], 0)
        assert [one.error for one in seen] == [0.0, 0.0]
        first, second = bench.measure_interleaved([fast, slow], 5, 0)
        assert len(first.samples) == len(second.samples) == 5
        assert first.latency < second.latency


def test_a_device_that_is_switched_off_costs_no_candidate(kernels, target, tmp_path, logger):
    with fleet(1) as first, fleet(1, join=first) as second:
        switched_off = []

        def report(done, *_):
            if done >= TRIALS // 4 and not switched_off:
                switched_off.append(done)
                second.kill()

        with bench_at(first, tmp_path, devices=2) as bench:
            log = search(kernels, target, bench, tmp_path / "log", logger, report)
    assert switched_off
    assert len(log.trials) == TRIALS
    assert not [trial.error for trial in log.trials if trial.error]


def test_a_search_without_any_device_ends_and_goes_on_later(kernels, target, tmp_path, logger):
    with fleet(1) as one:

        def report(done, *_):
            if done >= TRIALS // 4:
                one.kill()

        with bench_at(one, tmp_path, connect_timeout_s=0.5, retries=1) as bench:
            with pytest.raises(UserError, match="no device under the key"):
                search(kernels, target, bench, tmp_path / "log", logger, report)
    before = TuningLog(tmp_path / "log").trials
    assert TRIALS // 4 <= len(before) < TRIALS
    assert not [trial.error for trial in before if trial.error]
    with fleet(1) as another, bench_at(another, tmp_path) as bench:
        log = search(kernels, target, bench, tmp_path / "log", logger)
    assert log.trials[: len(before)] == before
    assert len(log.trials) == TRIALS
    assert not [trial.error for trial in log.trials if trial.error]


def test_a_server_that_starts_anew_in_the_middle_of_a_measurement_is_used_again(
    free_boards, kernels, tmp_path
):
    kernel = kernels[1].module
    long = {"repeats": 20, "min_repeat_ms": 100}
    with bench_at(free_boards, tmp_path, measure=long) as bench:
        assert bench.measure([module(GOOD, factor=2)])[0].samples
        (session,) = free_boards.sessions()
        killer = threading.Timer(0.8, session.parent().kill)  # a measurement takes two seconds
        killer.start()
        (result,) = bench.measure([kernel])
        killer.join()
        assert not session.is_running()
        assert len(result.samples) == 20


def test_a_candidate_that_kills_its_session_is_recorded_and_no_other_one(
    free_boards, kernels, tmp_path
):
    good = [module(GOOD, factor=factor) for factor in range(2, 8)]
    bad = module(WRITES_ELSEWHERE)
    servers = free_boards.servers()
    with bench_at(free_boards, tmp_path, devices=2) as bench:
        results = bench.measure([*good[:3], bad, *good[3:]])
        bench.renew()
        assert all(one.samples for one in bench.measure(good))
    assert free_boards.servers() == servers  # they outlive their sessions
    assert [bool(one.samples) for one in results] == [True] * 3 + [False] + [True] * 3
    assert results[3].error.startswith("run crash: the device's session ended twice while it ran")


def test_a_candidate_that_never_ends_costs_two_timeouts(free_boards, tmp_path):
    with bench_at(
        free_boards, tmp_path, session_timeout_s=4.0, measure={"run_timeout_s": 2.0}
    ) as bench:
        assert bench.measure([module(GOOD, factor=2)])[0].samples
        (bad,) = bench.measure([module(LOOPS)])
        assert bad.error == "run timeout: no result within 2 s, in each of two sessions"
        assert bench.measure([module(GOOD, factor=3)])[0].samples
        wait_for(lambda: len(free_boards.sessions()) == 1, 10)  # nothing goes on looping there


def test_sessions_are_renewed_before_the_server_ends_them(free_boards, tmp_path):
    with bench_at(
        free_boards, tmp_path, session_timeout_s=4.0, measure={"run_timeout_s": 2.0}
    ) as bench:
        pids = set()
        end = time.monotonic() + 60
        while len(pids) < 3:
            assert time.monotonic() < end
            assert bench.measure([module(GOOD, factor=2)])[0].samples
            pids |= {session.pid for session in free_boards.sessions()}


@pytest.mark.parametrize(
    ("where", "reason"),
    [("nowhere", "no answer of the tracker: Connection refused"),
     ("another key", "the tracker knows no server of this key"),
     ("no tracker", "no answer of the tracker: ")],
)  # fmt: skip
def test_no_device_is_one_clear_error_in_bounded_time(where, reason, boards, tmp_path):
    address = f"127.0.0.1:{free_port()}" if where == "nowhere" else boards.address
    if where == "no tracker":  # what listens there waits for a greeting of another kind
        address = servers_address(boards)
    key = "other" if where == "another key" else KEY
    connection = Connection(address, key, 1, 60.0, 1.0, 1)
    device = Device("board", '{"kind": "llvm"}', 1, "rpc", key, connection)
    good = module(GOOD, factor=2)
    with Bench(resolve_target(device), 1, MEASURE, tmp_path, location=device.location) as bench:
        started = time.monotonic()
        with pytest.raises(UserError) as error:
            bench.measure([good])
    assert time.monotonic() - started < 40
    text = str(error.value)
    assert text.startswith(f"no device under the key '{key}' at the tracker {address}: {reason}")
    assert "docs/devices.md" in text
    assert "\n" not in text


def servers_address(boards):
    from rivulet.hardware.tracker import SUMMARY, Tracker

    with Tracker(("127.0.0.1", boards.port), 5) as tracker:
        _, found = tracker._ask([SUMMARY])
    host, port = found["server_info"][0]["addr"]
    return f"{host}:{port}"


def test_a_server_with_other_threads_is_refused(free_boards):
    device = replace(device_at(free_boards), threads=3)
    with pytest.raises(UserError, match=r"runs kernels on 1 thread\(s\), but 3 are configured"):
        open_place(device.location)


def elf_machine(path):
    header = path.read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    return struct.unpack_from("<H", header, 18)[0]


def test_a_kernel_is_cross_compiled_and_never_loaded_here(kernels, tmp_path):
    from tvm.driver import build

    from rivulet.measure.linking import link_module

    spec = {"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"}
    connection = Connection("127.0.0.1:1", KEY, 1, 60.0, 0.5, 0, "no-such-aarch64-gcc")
    device = Device("arm", json.dumps(spec), 4, "rpc", KEY, connection)
    target = resolve_target(device)
    build(kernels[1].module, target=target).write_to_file(str(tmp_path / "kernel.o"))
    assert elf_machine(tmp_path / "kernel.o") == 183  # EM_AARCH64
    with pytest.raises(RuntimeError, match="no-such-aarch64-gcc"):
        link_module(build(kernels[1].module, target=target), tmp_path / "k.so", device.linker)
    with Bench(target, 4, MEASURE, tmp_path, location=device.location) as bench:
        # A candidate that cannot be linked is not worth a session, which is not to be had here.
        with pytest.raises(UserError, match="no device under the key"):
            bench.measure([kernels[1].module])


def test_arm_kernels_have_a_space_to_search(kernels, tmp_path, logger):
    from tvm.s_tir import meta_schedule as ms

    spec = {
        "kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a76",
        "mattr": ["+neon", "+dotprod"],
    }  # fmt: skip
    device = Device("arm", json.dumps(spec), 4, "rpc", KEY, Connection("a:1", KEY))
    context = ms.TuneContext(
        mod=kernels[1].module, target=resolve_target(device), space_generator="post-order-apply",
        search_strategy="evolutionary", num_threads=1,
    )  # fmt: skip
    assert context.generate_design_space()


def test_whole_models_are_checked_here_and_timed_there(
    free_boards, small_onnx, small_model, target, tmp_path
):
    libraries = {name: tmp_path / f"{name}.so" for name in ("untuned", "ansor", "broken")}
    for name in ("untuned", "ansor"):
        compile_model(small_model, target, None, libraries[name])
    libraries["broken"].write_bytes(b"not a library")
    device = device_at(free_boards)
    timing = TimingSettings(0, 1, 5, 1.0, 1.0, 10.0)
    subject = Subject(
        small_onnx, libraries, INPUTS, device, timing, 1e-3, (), weights=tmp_path / "w.npz",
        peak_gflops=1e5,
    )  # fmt: skip
    stopping = Stopping(1, 1, 0.5, Sampling(0.95, 200, 0))
    found = repeat_benchmark(subject, stopping, lambda *_: None)
    assert set(found.failures) == {"broken"}
    assert found.failures["broken"].startswith("it does not run: ")
    (result,) = found.results
    assert set(result.samples) == {"untuned", "ansor"}
    # The model takes microseconds; a call over the network alone takes longer.
    assert all(0 < sample < 1 for samples in result.samples.values() for sample in samples)
    assert all(result.errors[name] < 1e-4 for name in ("untuned", "ansor"))
    # Of a peak that nothing has; shares are rounded to four digits, so that it is not a larger one.
    assert 0 < result.conduct.speed < 1e-2


def test_a_benchmark_that_loses_its_device_begins_that_process_anew(
    free_boards, small_onnx, small_model, target, tmp_path
):
    compile_model(small_model, target, None, tmp_path / "model.so")
    timing = TimingSettings(0, 1, 5, 1.0, 500.0, 10.0)  # five rounds, half a second each
    subject = Subject(
        small_onnx, {"ansor": tmp_path / "model.so"}, INPUTS, device_at(free_boards), timing,
        1e-3, (), weights=tmp_path / "w.npz",
    )  # fmt: skip
    killed = []

    def report(done, *_):
        if done == 1 and len(killed) < 2:
            (session,) = free_boards.sessions()
            session.kill()
            killed.append(session.pid)

    stopping = Stopping(1, 1, 0.5, Sampling(0.95, 200, 0))
    found = repeat_benchmark(subject, stopping, report)
    assert len(set(killed)) == 2
    assert not found.failures
    assert [len(one.samples["ansor"]) for one in found.results] == [5]


def test_a_benchmark_without_a_device_says_so(small_onnx, tmp_path):
    connection = Connection(f"127.0.0.1:{free_port()}", KEY, 1, 60.0, 0.5, 1)
    device = Device("board", '{"kind": "llvm"}', 1, "rpc", KEY, connection)
    timing = TimingSettings(0, 1, 5, 1.0, 1.0, 10.0)
    subject = Subject(small_onnx, {}, INPUTS, device, timing, 1e-3, ())
    stopping = Stopping(1, 1, 0.5, Sampling(0.95, 200, 0))
    with pytest.raises(UserError, match="no answer of the tracker: Connection refused"):
        repeat_benchmark(subject, stopping, lambda *_: None)


def test_roofs_and_proofs_in_place_are_taken_there(
    free_boards, kernels, small_model, target, tmp_path, logger
):
    location = device_at(free_boards).location
    rows = at_place(
        location, lambda place: measure_roofline(target, 1, 3, lambda *_: None, place=place)
    )
    assert [row.roof for row in rows] == [COMPUTE, BANDWIDTH]
    assert all(row.peak > 0 for row in rows)
    compile_model(small_model, target, None, tmp_path / "before.so")
    empty = TuningLog(tmp_path / "empty")
    model = Model(small_model, kernels, INPUTS, target, 0, 0.05)

    def proven(place):
        there = replace(model, place=place)
        untuned = look_at_untuned(there, tmp_path / "before.so")
        assert untuned.latency_ms > 0
        return prove_in_place(
            there, untuned, empty, tmp_path, library=tmp_path / "after.so",
            say=lambda text: None, logger=logger,
        )  # fmt: skip

    found, kept = at_place(location, proven)
    assert kept is empty
    assert found.right
    assert np.all(np.array(found.before_ms) > 0)
    assert len(found.after_ms) == len(found.before_ms)


def test_work_at_a_place_starts_over_when_the_device_is_lost(free_boards):
    seen = []

    def work(place):
        seen.append(place.function("runtime.NumThreads")())
        if len(seen) == 1:
            free_boards.sessions()[0].kill()
            wait_for(lambda: not place.alive(), 10)
            place.function("runtime.NumThreads")
        return "done"

    assert at_place(device_at(free_boards).location, work) == "done"
    assert seen == [1, 1]


def test_everything_ends_together_and_a_second_tracker_is_refused(tmp_path):
    with fleet(2) as one:
        place = open_place(device_at(one).location)
        processes = [*psutil.Process(one.process.pid).children(recursive=True)]
        assert len(processes) == 4  # tracker, two servers, one session
        taken = subprocess.run(
            [*COMMAND, "--port", str(one.port)], capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert taken.returncode == 1
        wanted = f"error: cannot listen on 127.0.0.1:{one.port}: Address already in use"
        assert taken.stderr.startswith(wanted)
    assert one.process.returncode == 0
    _, left = psutil.wait_procs(processes, 10)
    assert not left
    assert not place.alive()


def test_listening_to_a_network_is_warned_of():
    process = subprocess.Popen(
        [*COMMAND, "--host", "0.0.0.0", "--port", str(free_port()), "--devices", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = process.stderr.readline()
        assert line.startswith("warning: whoever reaches 0.0.0.0 runs code on this machine")
        assert process.stderr.readline().startswith("tracker: 0.0.0.0:")
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_log_of_a_device_is_not_run_here(free_boards, kernels, target, tmp_path, logger):
    with bench_at(free_boards, tmp_path) as bench:
        log = TuningLog(tmp_path / "log", logger)
        run_search(kernels[:1], target, 4, log, bench)
    stored = read_log(tmp_path / "log")
    records = sample_records(stored, 2, 0)
    device = device_at(free_boards)
    seen = validate_records(
        stored, records, 1, 1e-3, seed=0, scratch=tmp_path, location=device.location
    )  # on the device
    assert [one.problem for one in seen] == [""] * len(records)
    origin = replace(stored.origin, settings={"device": device.to_json()})
    with pytest.raises(UserError, match="are for the device 'board' over RPC"):
        validate_records(replace(stored, origin=origin), records, 1, 1e-3, seed=0, scratch=tmp_path)
