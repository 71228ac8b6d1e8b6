"""A real SLURM cluster on this machine: a controller and several nodes, on the loopback device.

The nodes share the machine's cores, so it is a place to see jobs queued, killed and resumed, and
none to measure anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "munged")
PACKAGES = "slurm-wlm munge"
# SLURM's commands within a job look for it nowhere else.
CONFIG = Path("/etc/slurm/slurm.conf")
MARK = "# Written by Rivulet's tests, which replace and remove it."
SETTINGS = """\
{mark}
ClusterName=rivulet
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=17000
SlurmUser=root
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmdLogFile={folder}/log/slurmd.%n.log
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
TaskProlog={folder}/task_prolog
ProctrackType=proctrack/linuxproc
TaskPlugin={binding}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=5
ReturnToService=1
MinJobAge=3600
KillWait=5
NodeName=DEFAULT CPUs=2 RealMemory=32000 Feature=zen4
NodeName={nodes} NodeHostname=localhost NodeAddr=127.0.0.1 Port=[17001-1700{count}]
PartitionName=cpu Nodes={nodes} Default=YES
"""
# Each node has a lock folder of its own, as machines that are really several have.
PROLOG = """\
#!/bin/sh
mkdir -p "{folder}/locks/$SLURMD_NODENAME"
echo "export RIVULET_LOCK_DIR={folder}/locks/$SLURMD_NODENAME"
"""
# Snakemake's SLURM plugin asks for its jobs' state at growing intervals, which would be most of a
# test's time.
SNAKEMAKE = """\
import sys, snakemake_executor_plugin_slurm as plugin
every_second = property(lambda self: 1, lambda self, value: None)
plugin.Executor.next_seconds_between_status_checks = every_second
from snakemake.cli import main
main(sys.argv[1:])
"""


def missing_programs() -> list[str]:
    """SLURM's programs that are not installed here."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def why_not() -> str | None:
    """Why no cluster can be started here; None where one can."""
    missing = missing_programs()
    if missing:
        return f"{', '.join(missing)} not found; apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "starting a cluster needs root"
    if CONFIG.exists() and MARK not in CONFIG.read_text():
        return f"{CONFIG} is somebody else's, and SLURM reads no other"
    return None


def require_slurm() -> None:
    """Skip, or fail where that is asked for, without SLURM."""
    reason = why_not()
    if reason and os.environ.get("RIVULET_REQUIRE_SLURM"):
        pytest.fail(f"RIVULET_REQUIRE_SLURM is set, but {reason}")
    if reason:
        pytest.skip(reason)


def edit_profile(path: Path) -> None:
    """What a user edits."""
    text = path.read_text()
    for old, new in (
        (r"(?m)^(      partition:) .*", r"\1 cpu"),
        (r"(?m)^(      constraint:) .*", r"\1 zen4"),
    ):
        text, count = re.subn(old, new, text)
        assert count == 1, old
    path.write_text(text)


@dataclass(frozen=True)
class SlurmJob:
    """A job as the controller tells of it.

    Attributes:
        number: SLURM's number of the job.
        rule: Snakemake's rule and wildcards, as the plugin writes them into the comment.
        state: Such as COMPLETED.
        node: Where it ran; empty when it never did.
        start: When it started.
        end: When it ended, or will at the latest.
        minutes: Its time limit.
        cpus: CPUs of its task.
        exclusive: Whether it had the node to itself.
    """

    number: int
    rule: str
    state: str
    node: str
    start: datetime | None
    end: datetime | None
    minutes: int
    cpus: int
    exclusive: bool

    def line(self) -> str:
        """One row of a table."""
        start, end = (t.strftime("%H:%M:%S") if t else "-" for t in (self.start, self.end))
        alone = "exclusive" if self.exclusive else ""
        return (
            f"{self.number:4d} {self.rule:60s} {self.state:10s} {self.node:6s} {start}-{end} "
            f"{self.minutes:5d} min {self.cpus} CPU {alone}"
        )


class Cluster:
    """A controller and nodes; use as a context manager.

    Args:
        folder: An empty folder for state and logs.
        nodes: How many.
        binding: SLURM's plugin that binds jobs to their cores, or does not. One that does has each
            node use the same cores, the first ones.
    """

    def __init__(self, folder: Path, nodes: int, binding: str = "task/none") -> None:
        self.folder, self.binding = folder, binding
        self.nodes = [f"node{i + 1}" for i in range(nodes)]
        self._munge: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if CONFIG.exists() and MARK in CONFIG.read_text():
            _call("scancel", "--user", "root", check=False)
            _wait(lambda: not self._active(), "the end of cancelled jobs", 20, must=False)
        pids = [int(f.read_text()) for f in sorted((self.folder / "run").glob("*.pid"))]
        for pid in pids:
            _end(pid)
        self._end_what_lost_nodes_left()
        if self._munge is not None:
            self._munge.terminate()
            self._munge.wait()
        if CONFIG.exists() and MARK in CONFIG.read_text():
            CONFIG.unlink()

    def _end_what_lost_nodes_left(self) -> None:
        """A job on a node that was taken down is the controller's no more, and goes on waiting."""
        place = self.folder.parent
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                at = Path(process.cwd())
                if "SLURM_JOB_ID" in process.environ() and at.is_relative_to(place):
                    process.kill()

    def _start(self) -> None:
        for name in ("run", "log", "state", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        names = f"node[1-{len(self.nodes)}]"
        settings = SETTINGS.format(
            mark=MARK, folder=self.folder, nodes=names, count=len(self.nodes),
            binding=self.binding,
        )  # fmt: skip
        prolog = self.folder / "task_prolog"
        prolog.write_text(PROLOG.format(folder=self.folder))
        prolog.chmod(0o755)
        (self.folder / "polling.py").write_text(SNAKEMAKE)
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.write_text(settings)
        if _call("munge", "--no-input", check=False).returncode != 0:
            self._start_munge()
        _call("slurmctld")
        for node in self.nodes:
            _call("slurmd", "-N", node)
        self.wait_for_idle()

    def _start_munge(self) -> None:
        place = Path("/run/munge")
        place.mkdir(exist_ok=True)
        shutil.chown(place, "munge", "munge")
        place.chmod(0o755)
        command = ["runuser", "-u", "munge", "--", "munged", "--foreground"]
        log = (self.folder / "log/munged.log").open("wb")
        self._munge = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())
        _wait(lambda: _call("munge", "--no-input", check=False).returncode == 0, "munged to answer")

    def wait_for_idle(self) -> None:
        """Wait until every node is up and has nothing to do."""

        def idle() -> bool:
            shown = _call("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", check=False).stdout
            return len(set(shown.split())) == len(self.nodes)

        _wait(idle, "all nodes to be idle")

    def _active(self) -> list[str]:
        return _call("squeue", "-h", "-o", "%i", check=False).stdout.split()

    def jobs(self) -> list[SlurmJob]:
        """All jobs that the controller remembers, oldest first."""
        shown = _call("scontrol", "show", "job", "--oneliner", check=False).stdout
        found = [_job(line) for line in shown.splitlines() if line.startswith("JobId=")]
        return sorted(found, key=lambda job: job.number)

    def running(self, rule: str) -> SlurmJob | None:
        """The running job whose rule and wildcards begin with ``rule``."""
        found = [j for j in self.jobs() if j.rule.startswith(rule) and j.state == "RUNNING"]
        return found[0] if found else None

    def cpus_of(self, job: SlurmJob) -> set[int]:
        """The cores that a running job was given; empty when it is over."""
        shown = _call("scontrol", "--details", "show", "job", str(job.number), check=False).stdout
        found = re.search(r"CPU_IDs=(\d+)(?:-(\d+))?\b", shown)
        return set(range(int(found[1]), int(found[2] or found[1]) + 1)) if found else set()

    def processes_of(self, job: SlurmJob) -> list[psutil.Process]:
        """The Python processes of a running job."""
        number, found = str(job.number), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                own = process.environ().get("SLURM_JOB_ID") == number
                if own and process.name().startswith("python"):
                    found.append(process)
        return found

    def cancel(self, job: SlurmJob) -> None:
        """What a person's scancel does."""
        _call("scancel", str(job.number))

    def end_now(self, job: SlurmJob) -> None:
        """Let a job's time limit be over; the controller looks at limits every half minute."""
        _call("scontrol", "update", f"jobid={job.number}", "EndTime=now")

    def set_state(self, node: str, state: str) -> None:
        """Take a node down, or bring it back with ``resume``."""
        _call("scontrol", "update", f"nodename={node}", f"state={state}", "reason=test")

    def command(self, *arguments: str) -> list[str]:
        """Command line of Snakemake with the shipped profile."""
        return [
            sys.executable, str(self.folder / "polling.py"), *arguments,
            "--profile", "profiles/slurm", "--configfile", "config/test.yaml",
        ]  # fmt: skip


def _job(line: str) -> SlurmJob:
    fields = dict(re.findall(r"(\w[\w:/]*)=(\S*)", line))
    return SlurmJob(
        number=int(fields["JobId"]),
        rule=fields.get("Comment", "").removeprefix("rule_"),
        state=fields["JobState"],
        node="" if fields.get("NodeList") == "(null)" else fields.get("NodeList", ""),
        start=_time(fields.get("StartTime", "")),
        end=_time(fields.get("EndTime", "")),
        minutes=_minutes(fields.get("TimeLimit", "")),
        cpus=int(fields.get("CPUs/Task", "1")),
        exclusive=fields.get("OverSubscribe") == "NO",
    )


def _time(text: str) -> datetime | None:
    return None if text in ("", "Unknown", "None") else datetime.fromisoformat(text)


def _minutes(text: str) -> int:
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    if found is None:
        return 0
    days, hours, minutes, _ = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + minutes


def _wait(done: Callable[[], bool], what: str, seconds: float = 30, must: bool = True) -> None:
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            if must:
                raise TimeoutError(f"waited {seconds} s for {what}")
            return
        time.sleep(0.2)


def _end(pid: int) -> None:
    """End a daemon, and wait for it."""

    def gone() -> bool:
        # Where process 1 collects no orphans, one that has ended stays as a zombie.
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    for signal in (15, 9):
        if gone():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal)
        _wait(gone, f"process {pid} to end", 10, must=False)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}


def _call(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, text=True, capture_output=True, check=False, env=_environment(), timeout=60
    )
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout}")
    return result
