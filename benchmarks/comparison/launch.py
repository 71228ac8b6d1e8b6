"""Start a run's process, watch its memory and progress, and end it when asked to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparison.run import OUTPUT, PROGRESS, RESULT, SPEC, Run, Store
from rivulet.errors import UserError
from rivulet.hardware.lock import device_lock

BENCHMARKS = Path(__file__).resolve().parents[1]
STARTED = "RIVULET_COMPARISON_STARTED"
_GRACE_SECONDS = 10.0
_KIB_PER_GIB = 1 << 20


def execute(
    run: Run,
    store: Store,
    threads: int,
    say: Callable[[str], None],
    watch: Callable[[int, float], None],
) -> dict[str, Any]:
    """Do a run from nothing, with the machine to itself, and keep what came out.

    Args:
        run: The run.
        store: Where it goes; what an interrupted attempt left there is removed.
        threads: Threads that kernels run on.
        say: Told for whom the run has to wait.
        watch: Told once a second the units of work done and the seconds gone.

    Raises:
        UserError: The process failed.
    """
    folder = store.place(run)
    shutil.rmtree(folder, ignore_errors=True)
    scratch = folder / "tmp"
    scratch.mkdir(parents=True)
    (folder / SPEC).write_text(json.dumps(run.spec, indent=1))

    def on_wait(holder: str) -> None:
        say(f"waiting for the device 'cpu', in use by {holder}")

    with device_lock("cpu", f"the comparison of searches: {run.label}", on_wait):
        load = os.getloadavg()[0]
        began = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        wall, memory = _attend(run, folder, threads, watch)
    facts = {
        "began": began,
        "wall_s": wall,
        "load_1min_before": load,
        "load_1min_after": os.getloadavg()[0],
        **memory,
        **count_left_over(scratch),
    }
    shutil.rmtree(scratch, ignore_errors=True)
    return store.keep(run, facts)


def _attend(
    run: Run, folder: Path, threads: int, watch: Callable[[int, float], None]
) -> tuple[float, dict[str, float]]:
    """Run the process to its end; returns its wall time in seconds and its peaks of memory."""
    peaks = MemoryPeaks()
    started = time.monotonic()
    with (folder / OUTPUT).open("w") as output:
        process = subprocess.Popen(
            command(run, folder),
            cwd=folder,
            env=_environment(folder, threads, started),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches this process alone, which ends it
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1.0)
                    break
                peaks.look(process.pid)
                watch(_progress(folder), time.monotonic() - started)
        finally:
            _end(process)
    wall = time.monotonic() - started
    if process.returncode or not (folder / RESULT).exists():
        lines = (folder / OUTPUT).read_text(errors="replace").strip().splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        raise UserError(
            f"{run.label}: the process ended with status {process.returncode}: {last} "
            f"(its output: {folder / OUTPUT}); the same command begins this run anew"
        )
    return wall, peaks.facts()


def command(run: Run, folder: Path) -> list[str]:
    """Command line of a run's process."""
    if run.program.endswith(".py"):
        script = str(BENCHMARKS / run.program)
        return [sys.executable, "-m", "comparison.script", str(folder), script]
    return [sys.executable, "-m", f"comparison.{run.program}", str(folder)]


def _environment(folder: Path, threads: int, started: float) -> dict[str, str]:
    source = [str(BENCHMARKS), str(BENCHMARKS.parent / "src"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, source)),
        "TMPDIR": str(folder / "tmp"),
        "TVM_NUM_THREADS": str(threads),
        # This process holds the machine's lock for the run; a second lock of the run's own on
        # the same file would wait for ever.
        "RIVULET_LOCK_DIR": str(folder),
        STARTED: repr(started),
    }


def _progress(folder: Path) -> int:
    path = folder / PROGRESS
    return path.stat().st_size if path.exists() else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its own, when it has not ended by itself."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_SECONDS)
    # The session is the process's own, so the group holds nothing but it and its workers.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class MemoryPeaks:
    """Peak resident memory of a process and of its workers."""

    def __init__(self) -> None:
        self._main = 0.0
        self._worker = 0.0
        self._together = 0.0

    def look(self, pid: int) -> None:
        """Look once; the system's own high-water marks fill the time between looks."""
        import psutil

        mains, workers = [pid], []
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            command = process.cmdline()
            for child in process.children(recursive=True):
                # A job works in a copy of itself, which a small parent watches over.
                (mains if child.cmdline() == command else workers).append(child.pid)
        self._main = max(self._main, *(_memory(main, "VmHWM") for main in mains))
        self._worker = max([self._worker, *(_memory(worker, "VmHWM") for worker in workers)])
        self._together = max(self._together, sum(_memory(worker, "VmRSS") for worker in workers))

    def facts(self) -> dict[str, float]:
        """Peaks in GiB."""
        return {
            "main_peak_gib": self._main,
            "worker_peak_gib": self._worker,
            "workers_together_peak_gib": self._together,
        }


def _memory(pid: int, field: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / _KIB_PER_GIB
    return 0.0


def count_left_over(scratch: Path) -> dict[str, float]:
    """Files and folders that a run left in its folder for temporary files, and their size."""
    files = folders = size = 0
    for path in scratch.rglob("*"):
        if path.is_dir():
            folders += 1
        else:
            files += 1
            size += path.lstat().st_size
    return {"left_files": files, "left_folders": folders, "left_mib": round(size / 2**20, 3)}
