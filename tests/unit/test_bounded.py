"""Commands with a bound on their time and memory."""

import sys

from rivulet.jobs.bounded import run_bounded


def python(text):
    return [sys.executable, "-c", text]


def test_a_command_is_timed_and_its_children_count_as_its_memory():
    child = "x = b'x' * 300_000_000; import time; time.sleep(1)"
    seconds, peak, problem = run_bounded(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"),
        60.0,
        1.0,
    )
    assert problem == ""
    assert seconds > 1
    assert 0.27 < peak < 0.6


def test_a_command_that_needs_too_much_memory_is_ended():
    seconds, _, problem = run_bounded(
        python("x = b'x' * 500_000_000; import time; time.sleep(50)"), 60.0, 0.2
    )
    assert problem == "needs more than 0.2 GiB of memory"
    assert seconds < 40


def test_a_command_that_takes_too_long_is_ended():
    seconds, _, problem = run_bounded(python("import time; time.sleep(50)"), 0.5, 1.0)
    assert problem == "takes more than 0.5 s"
    assert seconds < 40


def test_a_command_that_fails_says_why_with_its_last_line():
    failing = "print('warning'); raise SystemExit('no such shape')"
    assert run_bounded(python(failing), 60.0, 1.0).problem == "no such shape"
    assert run_bounded(python("raise SystemExit(3)"), 60.0, 1.0).problem == "exit status 3"
