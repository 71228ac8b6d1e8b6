import fcntl
import json
import os
import subprocess
import sys
import textwrap

import pytest

from conftest import ROOT
from rivulet.errors import UserError
from rivulet.hardware import Device, device_lock, fingerprint
from rivulet.hardware import lock as lock_module
from rivulet.hardware.cpu import cpu_info, physical_cores, usable_cpus
from rivulet.hardware.target import missing_features
from rivulet.tvm_compat import pinning


def test_masked_features_are_switched_off():
    implied = ["avx", "avx2", "avx512f", "avx512bf16", "fma", "fast-lzcnt", "sse4.2"]
    flags = frozenset({"avx", "avx2", "fma"})
    assert missing_features(implied, flags) == ["avx512bf16", "avx512f"]


def test_spelling_differences_are_no_missing_feature():
    implied = ["avx512bf16", "avxvnni", "avx512vp2intersect"]
    flags = frozenset({"avx512_bf16", "avx_vnni", "avx512_vp2intersect"})
    assert missing_features(implied, flags) == []


def test_cpu_info_reads_the_first_processor(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("model name\t: A\nflags\t\t: avx fma\n\nmodel name\t: B\nflags\t\t: none\n")
    assert cpu_info(path) == ("A", frozenset({"avx", "fma"}))


def test_fingerprint_follows_threads_and_target_but_not_the_name():
    one = Device("a", "auto", 1)
    assert fingerprint(one) == fingerprint(Device("b", "auto", 1))
    assert fingerprint(one) != fingerprint(Device("a", "auto", 2))
    assert fingerprint(one) != fingerprint(Device("a", '{"kind": "llvm"}', 1))


def test_device_from_settings():
    device = Device.from_settings("x", {"target": "auto", "threads": "auto", "runner": "local"})
    assert 1 <= device.threads == physical_cores() <= usable_cpus()
    assert Device.from_json(device.to_json()) == device
    assert json.loads(device.to_json())["name"] == "x"


def test_more_threads_than_cpus_are_refused():
    settings = {"target": "auto", "threads": 1000, "runner": "local"}
    with pytest.raises(UserError, match=r"hardware\.x\.threads: 1000 threads asked for"):
        Device.from_settings("x", settings)


def test_the_lock_makes_the_second_wait_and_says_for_whom(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "LOCK_FOLDER", tmp_path)
    script = textwrap.dedent(
        f"""
        import time
        from rivulet.hardware import lock
        from pathlib import Path
        lock.LOCK_FOLDER = Path({str(tmp_path)!r})
        with lock.device_lock("cpu", "search first", print):
            print("held", flush=True)
            input()
        """
    )
    first = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert first.stdout.readline() == "held\n"
    heard = []

    def on_wait(holder):
        heard.append(holder)
        first.kill()  # the lock ends with its holder, however that ends

    with device_lock("cpu", "search second", on_wait):
        assert heard[0].startswith(f"search first (process {first.pid} on ")
        assert (tmp_path / "rivulet-cpu.lock").read_text().startswith("search second")
    first.communicate()


def test_work_that_measures_nothing_goes_together_but_not_beside_a_measurement(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock_module, "LOCK_FOLDER", tmp_path)
    with (
        device_lock("cpu", "compile one", shared=True),
        device_lock("cpu", "compile two", pytest.fail, shared=True),
    ):
        handle = os.open(tmp_path / "rivulet-cpu.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
    with device_lock("cpu", "search", pytest.fail):
        handle = os.open(tmp_path / "rivulet-cpu.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(handle)


def test_threads_go_to_different_physical_cores_first(monkeypatch):
    monkeypatch.setattr(pinning, "siblings", lambda cpu: str(cpu // 2))
    assert pinning.spread({7, 2, 3, 4, 5}, 3) == [2, 4, 7]
    assert pinning.spread({7, 2, 3, 4, 5}, 5) == [2, 4, 7, 3, 5]
    assert pinning.spread([0, 1], 9) == [0, 1]


SHOW = """
import os, sys
from rivulet.tvm_compat import load_tvm
os.sched_setaffinity(0, set(map(int, sys.argv[1].split(","))))
tvm = load_tvm(*map(int, sys.argv[2:]))
tvm.get_global_func("runtime.NumThreads")()  # makes the pool
for thread in os.listdir("/proc/self/task"):
    print(*sorted(os.sched_getaffinity(int(thread))))
"""


def cores_of_threads(cpus, *threads):
    """The cores of each thread of a process that was given some and has loaded TVM."""
    given = ",".join(map(str, cpus))
    shown = subprocess.run(
        [sys.executable, "-c", SHOW, given, *map(str, threads)], check=True, text=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    return {tuple(map(int, line.split())) for line in shown.stdout.splitlines()}


@pytest.mark.parametrize("threads", [(), (1,)])
def test_tvm_keeps_to_the_cores_that_its_process_was_given(threads):
    """By itself it pins its only thread to core 0."""
    last = max(os.sched_getaffinity(0))
    assert cores_of_threads([last], *threads) == {(last,)}


def test_each_thread_of_tvms_pool_has_a_core():
    usable = sorted(os.sched_getaffinity(0))
    found = cores_of_threads(usable, len(usable))
    # The calling thread is the pool's first; it may run on all of them.
    assert found >= {(cpu,) for cpu in usable[1:]}
    assert {cpu for cores in found for cpu in cores} == set(usable)


def test_threads_are_spread_over_the_usable_cpus():
    from rivulet.hardware.cpu import spread_cpus

    usable = os.sched_getaffinity(0)
    assert set(spread_cpus(len(usable))) == usable
    assert len(spread_cpus(1)) == 1
    assert len({*spread_cpus(physical_cores())}) == physical_cores()
