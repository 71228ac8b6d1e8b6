"""How a workflow stands, from what it writes: while it runs, after a kill, after a failure."""

import base64
import json
import platform
import subprocess
import sys

import psutil
import pytest

from rivulet.cli import adopt
from rivulet.errors import UserError
from rivulet.workflow.standing import read_standing

SNAKEMAKE = """\
Building DAG of jobs...
Job stats:
job                  count
-----------------  -------
search_schedules         2
make_report              1
all                      1
total                    4

Select jobs to execute...
Execute 1 jobs...
[Thu Nov 26 05:22:25 2026]
Finished jobid: 25 (Rule: search_schedules)
1 of 4 steps (25%) done
Execute 1 jobs...
"""
FAILED = """\
[Thu Nov 26 05:31:40 2026]
Error in rule search_schedules:
    message: None
    jobid: 3
    output: results/local/journals/ansor/broken
    log: logs/local/logs/ansor-80/broken.log (check log file(s) for error details)
"""
SEARCH = """\
2026-11-26 05:24:00,308 INFO search resnet18              40/80 trials | a best 9 us | 0:06 left
2026-11-26 05:24:04,359 INFO search resnet18              60/80 trials | b best 8 us | 0:03 left
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def checkout(tmp_path):
    write(tmp_path / ".snakemake/log/2026-11-26T052222.904585.snakemake.log", SNAKEMAKE)
    for name in ("database_tuning_record.json", "trials.csv", "log.json"):
        output = f"results/local/logs/ansor-80/resnet18/{name}"
        mark = base64.urlsafe_b64encode(output.encode()).decode()
        write(tmp_path / ".snakemake/incomplete" / mark, "")
    write(tmp_path / "logs/local/logs/ansor-80/resnet18.log", SEARCH)
    return tmp_path


def own(checkout, pid=None):
    """Let a process own the workflow in the folder, this one by default."""
    process = psutil.Process(pid)
    note = [[platform.node(), process.pid, process.create_time()]]
    write(checkout / ".snakemake/rivulet-owners.json", json.dumps(note))
    write(checkout / ".snakemake/locks/0.output.lock", "")


def test_a_running_workflow(checkout):
    own(checkout)
    seen = read_standing(checkout)
    assert seen.running
    assert (seen.done, seen.total) == (1, 4)
    assert seen.rules == {"search_schedules": (1, 2), "make_report": (0, 1)}
    (job,) = seen.jobs  # three files, one job
    assert job.line == "search resnet18  60/80 trials | b best 8 us | 0:03 left"
    assert (job.rate, job.unit) == (5.0, "trials")
    assert seen.failures == []


def test_a_dry_run_or_a_lint_since_then_is_no_run(checkout):
    own(checkout)
    later = checkout / ".snakemake/log/2026-11-26T060000.000000.snakemake.log"
    table = SNAKEMAKE.partition("Select jobs")[0]
    later.write_text(f"{table}\nThis was a dry-run (flag -n).\n")
    assert (read_standing(checkout).done, read_standing(checkout).total) == (1, 4)
    later.write_text("Lints for rule a\n")
    assert read_standing(checkout).total == 4


def test_a_transfers_library_is_no_job_of_its_own(checkout):
    for output in ("transfer/ansor-80/a-to-b/log.json", "libraries/transfer-ansor-80/a-to-b.so"):
        mark = base64.urlsafe_b64encode(f"results/local/{output}".encode()).decode()
        write(checkout / ".snakemake/incomplete" / mark, "")
    write(checkout / "logs/local/transfer/ansor-80/a-to-b.log", SEARCH)
    assert len(read_standing(checkout).jobs) == 2


def test_a_killed_workflow(checkout):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        own(checkout, process.pid)
        assert read_standing(checkout).running
        process.kill()
    seen = read_standing(checkout)
    assert not seen.running
    assert len(seen.jobs) == 1


def test_a_failure_is_told_with_the_last_line_of_its_traceback(checkout):
    log = checkout / ".snakemake/log/2026-11-26T052222.904585.snakemake.log"
    log.write_text(SNAKEMAKE + FAILED + FAILED)
    write(
        checkout / "logs/local/logs/ansor-80/broken.log",
        "2026-11-26 05:24:00,308 INFO search broken: started\n"
        "2026-11-26 05:24:04,359 ERROR Traceback (most recent call last):\n"
        '  File "x.py", line 1, in y\n'
        "ZeroDivisionError: division by zero\n",
    )
    (failure,) = read_standing(checkout).failures
    assert failure.rule == "search_schedules"
    assert failure.log == "logs/local/logs/ansor-80/broken.log"
    assert failure.reason == "ZeroDivisionError: division by zero"


def test_a_job_that_runs_again_has_said_nothing_yet(checkout):
    log = checkout / "logs/local/logs/ansor-80/resnet18.log"
    log.write_text(SEARCH + "2026-11-26 05:24:06,494 INFO search resnet18: done in 0:13\n")
    (job,) = read_standing(checkout).jobs
    assert job.line == ""


def test_nothing_is_adopted_under_a_running_workflow(checkout, monkeypatch):
    own(checkout)
    monkeypatch.chdir(checkout)
    with pytest.raises(UserError, match="a workflow is running here"):
        adopt.main([])


def watch(*arguments):
    command = [sys.executable, "-m", "rivulet", "watch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_it_once(checkout):
    own(checkout)
    text = watch(checkout, "--once").stdout
    assert "running; started 2026-11-26 05:22:22" in text
    assert "1 of 4 jobs (25%), 3 left" in text
    assert "search_schedules 1/2   make_report 0/1" in text
    assert "search resnet18  60/80 trials | b best 8 us | 0:03 left | 5 trials/s" in text


def test_the_command_says_that_nothing_ran_here_or_what_is_wrong(tmp_path):
    assert "no workflow has run here yet" in watch(tmp_path, "--once").stdout
    wrong = watch(tmp_path / "none")
    assert wrong.returncode == 2
    assert "no such folder" in wrong.stderr
    assert "at least 1" in watch(tmp_path, "--every", "0.1").stderr
