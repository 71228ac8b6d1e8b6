"""Jobs that say how long they took to start."""

import json
import os
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from rivulet.jobs.startup_trace import VARIABLE, process_age


def test_a_process_is_as_old_as_it_is():
    before = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        after = time.monotonic()
        time.sleep(0.5)
        least = time.monotonic() - after
        age = process_age(child.pid)
        assert least - 0.05 <= age <= time.monotonic() - before + 0.05
        child.communicate(b"\n")


def run_job(tmp_path, body, **variables):
    (tmp_path / "slow_library.py").write_text("import time\ntime.sleep(0.3)\nimport slow_part\n")
    (tmp_path / "slow_part.py").write_text("import time\ntime.sleep(0.2)\n")
    script = tmp_path / "some_job.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from rivulet.jobs import run_job\n"
        "time.sleep(0.4)\n"
        "def work(job):\n"
        f"    {body}\n"
        "sys.exit(run_job('stage name', None, work))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    return subprocess.run([sys.executable, script], env=environment, capture_output=True)


@pytest.mark.parametrize("ending", ["", "; raise ValueError"])
def test_imports_within_the_work_count_once_and_the_work_does_not(tmp_path, ending):
    trace = tmp_path / "trace.jsonl"
    body = f"import slow_library; time.sleep(1.5); import importlib; import slow_part{ending}"
    for _ in range(2):
        run_job(tmp_path, body, **{VARIABLE: str(trace)})
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert line["job"] == "stage name"
        assert line["script"] == "some_job.py"
        assert line["compiler"] is False
        assert line["begin_s"] >= 0.4
        assert 0.5 <= line["import_s"] < 1.5  # the inner import once, and no work
        assert 0 < line["cpu_s"] < line["startup_s"] - 0.8  # those that slept used none
        assert line["startup_s"] == pytest.approx(line["begin_s"] + line["import_s"], abs=0.002)


def test_nothing_is_written_when_nobody_asks(tmp_path):
    assert run_job(tmp_path, "pass").returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "slow_library.py", "slow_part.py", "some_job.py"
    ]  # fmt: skip
