import subprocess
import sys
import textwrap

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


def run_script(tmp_path, body):
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
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True,
        env=variables, cwd=tmp_path, check=False,
    )  # fmt: skip
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
    result, log = run_script(tmp_path, "import signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert result.returncode == 143
    assert "stopped; what was recorded is kept" in result.stderr
    assert "SIGTERM" in log


def test_a_termination_is_no_failure_of_what_runs(tmp_path):
    body = """
            import signal
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                print("swallowed")
    """
    result, log = run_script(tmp_path, body.strip())
    assert result.returncode == 143
    assert "swallowed" not in log.split("from a library")[1]


def test_scratch_of_a_killed_job_is_swept_by_the_next(tmp_path):
    left = tmp_path / "rivulet-scratch-left"
    left.mkdir()
    (left / "owner.lock").touch()
    run_script(tmp_path, "pass")
    assert not left.exists()
