"""What a job imports, as Python itself tells the benchmark of start-up times."""

import os
import subprocess
import sys
import time

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from scaling.startup import IMPORTS, imports_of


@pytest.mark.parametrize("ending", ["", "; raise ValueError"])
def test_imports_within_the_work_count_once_and_neither_work_nor_workers_do(tmp_path, ending):
    (tmp_path / "slow_library.py").write_text("import time\ntime.sleep(0.3)\nimport slow_part\n")
    (tmp_path / "slow_part.py").write_text("import time\ntime.sleep(0.2)\n")
    (tmp_path / "early.py").write_text("import time\ntime.sleep(0.1)\n")
    late = "importlib.import_module('slow_library')"
    child = "subprocess.run([sys.executable, '-c', 'import slow_library'], check=True)"
    body = f"{child}; {late}; time.sleep(1); import slow_part{ending}"
    for name in ("scripts", "imports"):
        (tmp_path / name).mkdir()
    (tmp_path / "scripts/some_job.py").write_text(
        "import importlib, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "import early\n"
        "from rivulet.jobs import run_job\n"
        "def work(job):\n"
        f"    {body}\n"
        "sys.exit(run_job('stage name', Path('logs/some.log'), work))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (IMPORTS, tmp_path, ROOT / "src"))),
        "JOB_IMPORTS": str(tmp_path / "imports"),
    }
    command = [sys.executable, "scripts/some_job.py", "--log", "logs/some.log"]
    started = time.monotonic()
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=False)
    elapsed = time.monotonic() - started
    assert done.returncode == (1 if ending else 0)
    (trace,) = (tmp_path / "imports").iterdir()
    script, seconds, compiler = imports_of(trace, tmp_path)
    assert (script, compiler) == ("some_job.py", False)
    # Of the rest, 1 s is work and at least 0.5 s is the child's.
    assert 0.6 <= seconds <= elapsed - 1.5
