import contextlib
import subprocess
import sys
import textwrap
import time

import psutil

from conftest import ROOT
from rivulet.jobs.progress import Progress, duration


def test_durations():
    assert [duration(s) for s in (0, 59.6, 61, 3600, 7325)] == [
        "0:00", "1:00", "1:01", "1:00:00", "2:02:05"
    ]  # fmt: skip


def test_progress_estimates_from_this_run_only():
    lines = []
    progress = Progress(lines.append, "search resnet18", 100, "trials", done=50, every=0)
    progress.update(60, "conv best 3 us")
    assert progress.line(10, "x").endswith("60/100 trials | x | 0:40 left")
    progress.update(100)
    assert "100/100 trials | done in" in lines[-1]


def script_of(tmp_path, body):
    script = f"""
        import os, sys
        from pathlib import Path
        from rivulet.errors import UserError
        from rivulet.jobs import run_job
        def work(job):
            job.say("going on")
            print("from a library")
            os.system("echo from a child >&2")
            assert os.environ["TMPDIR"] == str(job.scratch)
            Path(job.scratch, "big.bin").write_text("x")
            {body}
        sys.exit(run_job("stage name", Path({str(tmp_path / "logs/x.log")!r}), work))
    """
    variables = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")}
    how = {"env": variables, "cwd": tmp_path, "text": True}
    return [sys.executable, "-c", textwrap.dedent(script)], how


def start_script(tmp_path, body):
    command, how = script_of(tmp_path, body)
    return subprocess.Popen(command, stderr=subprocess.PIPE, **how)


def wait_for_line(process):
    assert process.stderr.readline() == "going on\n"


def has_ended(process):
    """Also where whoever adopts orphans has not asked for its status yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


def run_script(tmp_path, body):
    command, how = script_of(tmp_path, body)
    result = subprocess.run(command, capture_output=True, check=False, **how)
    assert not list(tmp_path.glob("rivulet-scratch-*"))
    return result, (tmp_path / "logs/x.log").read_text()


def test_all_output_goes_to_the_log_but_progress(tmp_path):
    result, log = run_script(tmp_path, "pass")
    assert result.returncode == 0
    assert result.stderr == "going on\n"
    assert result.stdout == ""
    for text in ("going on", "from a library", "from a child", "stage name: done in"):
        assert text in log


def test_a_users_mistake_is_one_line_without_traceback(tmp_path):
    result, log = run_script(tmp_path, 'raise UserError("x.onnx: no model")')
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"stage name: x.onnx: no model (log: {tmp_path}/logs/x.log)"
    )
    assert "Traceback" not in log


def test_an_unforeseen_error_leaves_its_traceback_in_the_log(tmp_path):
    result, log = run_script(tmp_path, "1 / 0")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith(
        "stage name: ZeroDivisionError: division by zero (log: "
    )
    assert "Traceback" in log
    assert "ZeroDivisionError" in log


def test_a_termination_ends_in_order(tmp_path):
    body = "import signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    result, log = run_script(tmp_path, body)
    assert result.returncode == 143
    assert result.stderr.splitlines()[-1] == (
        "stage name: stopped by SIGTERM; what was recorded is kept, and the same command goes on "
        "from there"
    )
    assert "stopped by SIGTERM" in log


def test_a_termination_is_in_time_while_native_code_keeps_python_waiting(tmp_path):
    # A function called through PyDLL keeps the interpreter's lock, as opening a large log does.
    body = "import ctypes; ctypes.PyDLL(None).sleep(60)"
    process = start_script(tmp_path, body)
    wait_for_line(process)
    started = time.monotonic()
    process.terminate()
    assert process.wait(timeout=30) == 143
    assert time.monotonic() - started < 3
    assert "stopped by SIGTERM" in process.stderr.read()
    assert not list(tmp_path.glob("rivulet-scratch-*"))


def test_nothing_that_a_job_started_outlives_it(tmp_path):
    body = "import subprocess, time; print(subprocess.Popen(['sleep', '61']).pid); time.sleep(60)"
    for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
        process = start_script(tmp_path, body)
        wait_for_line(process)
        (child,) = wait_for(lambda: psutil.Process(process.pid).children())  # noqa: B023
        (grandchild,) = wait_for(child.children)
        end(process)
        process.wait(timeout=30)
        wait_for(lambda: has_ended(child))  # noqa: B023
        if end is subprocess.Popen.terminate:
            assert has_ended(grandchild)
        else:
            # A program that does not ask to end with its parent goes on, unless the job had time.
            with contextlib.suppress(psutil.NoSuchProcess):
                grandchild.kill()


def test_a_job_that_is_taken_down_says_by_what(tmp_path):
    result, log = run_script(tmp_path, "import signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert result.returncode == 1
    text = "stage name: the process was ended by SIGKILL, most likely for want of memory"
    assert text in result.stderr
    assert text in log


def test_scratch_of_a_killed_job_is_swept_by_the_next(tmp_path):
    left = tmp_path / "rivulet-scratch-left"
    left.mkdir()
    (left / "owner.lock").touch()
    run_script(tmp_path, "pass")
    assert not left.exists()
