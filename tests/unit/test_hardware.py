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


def test_threads_are_spread_over_the_usable_cpus():
    from rivulet.hardware.cpu import spread_cpus

    usable = os.sched_getaffinity(0)
    assert set(spread_cpus(len(usable))) == usable
    assert len(spread_cpus(1)) == 1
    assert len({*spread_cpus(physical_cores())}) == physical_cores()
