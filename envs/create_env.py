#!/usr/bin/env python3
"""Create .venv, Rivulet's Python environment, with the versions pinned in envs/requirements.txt.

`make env` calls this. It checks first that the machine has what it takes and says in one line
what is missing. A finished environment carries a stamp named after the pins, so that the next
call has nothing to do; changed pins update it, and an interrupted installation starts again.
"""

# Only the standard library, and nothing newer than Python 3.7: a wrong Python has to get far
# enough to be told so.
from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Sequence, TextIO  # noqa: UP035

ROOT = Path(__file__).resolve().parent.parent
NEEDED_PYTHON = (3, 11)
NEEDED_GB_NEW = 4.0
NEEDED_GB_UPDATE = 1.0
COMPILERS = ("g++", "gcc", "clang++", "clang", "c++", "cc")  # in TVM's own order
STAMP = ".rivulet-"
COMMAND = "rivulet"
# Settings of pip and Python that would put the packages elsewhere than into .venv.
UNWANTED_SETTINGS = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
)
LIST_INSTALLED = """
import importlib.metadata, json
print(json.dumps(sorted({d.metadata["Name"] for d in importlib.metadata.distributions()})))
"""


class Stop(Exception):
    """Ends the script with a message for the user and an exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


# --- What can be wrong with a machine: each check takes the facts, and returns a line or None.


def problem_with_python(version: Sequence[int]) -> str | None:
    """Check the running Python, given its version."""
    if tuple(version[:2]) == NEEDED_PYTHON:
        return None
    found = ".".join(str(part) for part in version[:3])
    needed = ".".join(str(part) for part in NEEDED_PYTHON)
    return (
        f"Rivulet needs Python {needed}, but this is Python {found}; "
        f"choose another one with: make env PYTHON=/path/to/python{needed}"
    )


def problem_with_machine(system: str, machine: str) -> str | None:
    """Check the kind of machine, given its operating system and processor."""
    if system == "Linux" and machine in ("x86_64", "aarch64"):
        return None
    return (
        f"Rivulet runs on Linux on x86_64 or aarch64, but this is {system} on {machine}; "
        "use such a machine, or a container or virtual machine of that kind"
    )


def problem_with_venv(has_venv: bool, has_ensurepip: bool) -> str | None:
    """Check that this Python can create environments, given which of its modules exist."""
    if has_venv and has_ensurepip:
        return None
    missing = "ensurepip" if has_venv else "venv"
    return (
        f"this Python cannot create environments (its module '{missing}' is missing); "
        "install it with: apt install python3.11-venv (or python3-venv)"
    )


def problem_with_linker(compiler: str | None, linker: str | None) -> str | None:
    """Check the tools that link TVM's generated code, given where they are."""
    if compiler and linker:
        return None
    missing = []
    if not linker:
        missing.append("the linker 'ld'")
    if not compiler:
        missing.append("a C compiler ('gcc' or 'cc')")
    return (
        f"{' and '.join(missing)} not found on PATH, but TVM's generated code has to be linked; "
        "install it with: apt install gcc"
    )


def problem_with_linking(compiler: Sequence[str]) -> str | None:
    """Check that the compiler can link a shared library, by linking an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.c")
        source.write_text("")
        output = str(Path(folder, "empty.so"))
        done = subprocess.run(
            [*compiler, "-shared", "-fPIC", "-o", output, str(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    if done.returncode == 0:
        return None
    reason = (done.stdout.strip().splitlines() or ["no message"])[0]
    return (
        f"'{' '.join(compiler)}' cannot link a shared library, as TVM's generated code needs "
        f"({reason}); install what is missing with: apt install gcc libc6-dev"
    )


def problem_with_disk(folder: Path, free_gb: float, needed_gb: float) -> str | None:
    """Check the disk, given the folder of the environment and what is free there."""
    if free_gb >= needed_gb:
        return None
    return (
        f"{folder} has {free_gb:.1f} GB of free disk, but the environment needs "
        f"{needed_gb:.0f} GB; free some, or put the checkout on a larger disk"
    )


def find_compiler() -> list[str] | None:
    """Return the compiler that TVM will link with, as the start of a command."""
    chosen = os.environ.get("CXX") or os.environ.get("CC")
    if chosen:
        command = shlex.split(chosen)
        return command if command and shutil.which(command[0]) else None
    for name in COMPILERS:
        path = shutil.which(name)
        if path:
            return [path]
    return None


def check_machine(folder: Path, needed_gb: float) -> None:
    """Raise `Stop` with the first thing that this machine lacks for an installation."""
    compiler = find_compiler()
    checks = (
        lambda: problem_with_venv(
            importlib.util.find_spec("venv") is not None,
            importlib.util.find_spec("ensurepip") is not None,
        ),
        lambda: problem_with_linker(compiler[0] if compiler else None, shutil.which("ld")),
        lambda: problem_with_linking(compiler or []),
        lambda: problem_with_disk(folder, shutil.disk_usage(str(folder)).free / 1e9, needed_gb),
    )
    for check in checks:
        problem = check()
        if problem:
            raise Stop(problem, 2)


# --- The environment as it is


def stamp_name(requirements: bytes) -> str:
    """Return the name of the stamp of an environment with these pins."""
    return STAMP + hashlib.sha256(requirements).hexdigest()[:16]


def venv_works(venv: Path) -> bool:
    """Tell whether an environment's Python runs, and is of the version and at the place meant."""
    try:
        config = (venv / "pyvenv.cfg").read_text(errors="replace")
        done = subprocess.run(
            [str(venv / "bin" / "python"), "-c", "import sys; print(*sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            text=True,
        )
    except OSError:
        return False
    # The commands in bin/ name the place where the environment was made, so it must not move.
    made_at = re.search(r"^command = .*? -m venv (?:--\S+ )*(.*)$", config, re.MULTILINE)
    moved = made_at is not None and Path(made_at.group(1)).resolve() != venv.resolve()
    return done.returncode == 0 and not moved and done.stdout.split() == ["3", "11"]


def venv_state(venv: Path, stamp: str) -> str:
    """Return what an environment needs: 'nothing', 'update' (pins, the command) or 'create'."""
    if not any(venv.glob(STAMP + "*")) or not venv_works(venv):
        return "create"
    # One of an older checkout has no command.
    whole = (venv / stamp).exists() and (venv / "bin" / COMMAND).exists()
    return "nothing" if whole else "update"


def clean_environment() -> dict[str, str]:
    """Return the environment variables to run Python and pip with."""
    variables = {k: v for k, v in os.environ.items() if k not in UNWANTED_SETTINGS}
    variables.update(
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        PIP_PROGRESS_BAR="off",
        PYTHONNOUSERSITE="1",
    )
    return variables


def read_pins(requirements: str) -> dict[str, str]:
    """Return the pinned versions by normalised package name."""
    pins = {}
    for line in requirements.splitlines():
        name, _, version = line.split("#", 1)[0].strip().partition("==")
        if name:
            pins[normalise(name)] = version
    return pins


def normalise(name: str) -> str:
    """Return a package name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def comes_with_torch(name: str) -> bool:
    """Tell whether a package is one of the CUDA libraries that torch's CUDA build asks for."""
    return name == "triton" or name.startswith(("nvidia-", "cuda-"))


def not_pinned(installed: Sequence[str], pins: dict[str, str]) -> list[str]:
    """Return the installed packages that an update removes, because nothing pins them now."""
    kept = {"pip", "rivulet", *pins}
    names = (normalise(name) for name in installed)
    return [name for name in names if name not in kept and not comes_with_torch(name)]


# --- Running pip


def reason_of_failure(lines: Sequence[str], status: int) -> str:
    """Return the one line of a failed command's output that says what went wrong."""
    if status < 0:
        return f"it was ended by signal {-status}, perhaps for want of memory"
    told = [line.strip() for line in lines if line.strip()]
    told = [line for line in told if not line.startswith(("[notice]", "WARNING:", "note:"))]
    errors = [line for line in told if line.startswith("ERROR:")]
    errors = errors or [line for line in told if line.lower().startswith("error")]
    reason = (errors or told or ["it said nothing"])[-1]
    reason = re.sub(r"^(ERROR|error): *", "", reason)
    if any("Retrying (" in line for line in lines):
        reason += " (the package index could not be reached: check the network and pip's settings)"
    return reason


class Progress:
    """Shows how far pip is: on a terminal in one changing line, elsewhere at every quarter."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: set[str] = set()
        self._terminal = sys.stdout.isatty()

    def __call__(self, line: str) -> None:
        """Take in a line of pip's output."""
        # pip names a package of a local folder by its file, and says '(from -r ...)' right after.
        found = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
        found = found or re.match(r"Processing .*/([\w.]+)-[^/]*\.whl", line)
        if found:
            name = normalise(found.group(1))
            if name not in self._seen:
                self._seen.add(name)
                self._show(name)
        elif line.startswith("Installing collected packages:"):
            self.clear()
            say("  unpacking them (about a minute)")

    def _show(self, name: str) -> None:
        count = len(self._seen)
        if self._terminal:
            print(f"\r\033[K  {count} of {self._total}: {name}", end="", flush=True)
        elif self._total >= 20 and count % (self._total // 4) == 0:
            say(f"  {count} of {self._total}")

    def clear(self) -> None:
        """Remove the changing line."""
        if self._terminal:
            print("\r\033[K", end="", flush=True)


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(text, flush=True)


def run(what: str, command: Sequence[str], log: TextIO, watch: Progress | None = None) -> None:
    """Run a command with its output in the log; `Stop` with its reason when it fails."""
    log.write(f"\n$ {' '.join(shlex.quote(part) for part in command)}\n")
    log.flush()
    lines = []
    with subprocess.Popen(
        command,
        cwd=str(ROOT),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            log.flush()
            lines.append(line)
            if watch is not None:
                watch(line)
    if process.returncode:
        if watch is not None:
            watch.clear()
        reason = reason_of_failure(lines, process.returncode)
        raise Stop(f"could not {what}: {reason}; full log: logs/env.log", 1)


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Wait while another call works on the same checkout."""
    import fcntl  # not there on Windows, where the check of the machine has stopped before

    handle = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another 'make env' of this checkout to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # some network file systems cannot lock
        yield
    finally:
        os.close(handle)


def base_python() -> str:
    """Return the Python to make the environment from, never one inside an environment."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return getattr(sys, "_base_executable", None) or sys.executable


def install(venv: Path, state: str, requirements: Path, log: TextIO) -> None:
    """Bring the environment to the pins: from nothing, or from those it has."""
    python = str(venv / "bin" / "python")
    pins = read_pins(requirements.read_text(encoding="utf-8"))
    for stamp in venv.glob(STAMP + "*"):
        stamp.unlink()
    if state == "create":
        if venv.is_symlink() and not venv.exists():
            venv.unlink()
        say("creating .venv")
        command = [base_python(), "-m", "venv", "--clear", str(venv)]
        run("create .venv", command, log)
    else:
        done = subprocess.run(
            [python, "-c", LIST_INSTALLED],
            env=clean_environment(),
            capture_output=True,
            text=True,
        )
        gone = not_pinned(json.loads(done.stdout), pins) if done.returncode == 0 else []
        if gone:
            say(f"removing what is pinned no more: {', '.join(gone)}")
            run("remove packages", [python, "-m", "pip", "uninstall", "--yes", *gone], log)
    say(f"installing {len(pins)} packages (2 to 10 minutes; log: logs/env.log)")
    command = [python, "-m", "pip", "install", "--requirement", str(requirements)]
    run("install the packages", command, log, Progress(len(pins)))
    say("installing Rivulet itself")
    command = [python, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    run("install Rivulet itself", [*command, "--editable", str(ROOT)], log)


def make_environment() -> None:
    """Create or update the environment, unless it is as it should be."""
    problem = problem_with_python(sys.version_info)
    problem = problem or problem_with_machine(platform.system(), platform.machine())
    if problem:
        raise Stop(problem, 2)
    venv = ROOT / ".venv"
    requirements = ROOT / "envs" / "requirements.txt"
    stamp = stamp_name(requirements.read_bytes())
    if venv_state(venv, stamp) == "nothing":
        say(".venv is up to date")
        return
    with only_one_at_a_time():
        state = venv_state(venv, stamp)
        if state == "nothing":
            say(".venv is up to date")
            return
        check_machine(ROOT, NEEDED_GB_NEW if state == "create" else NEEDED_GB_UPDATE)
        started = time.monotonic()
        logs = ROOT / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / "env.log").open("w", encoding="utf-8") as log:
            install(venv, state, requirements, log)
        (venv / stamp).write_text("The packages of envs/requirements.txt are all installed.\n")
        say(f".venv is ready, after {time.monotonic() - started:.0f} s")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the result is the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 ready; 1 a step of the installation failed; 2 this machine or "
        "Python lacks something",
    )
    parser.parse_args(arguments)
    try:
        make_environment()
    except Stop as stop:
        print(f"error: {stop}", file=sys.stderr)
        return stop.status
    except OSError as error:
        print(f"error: {error.filename or ROOT}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the next 'make env' starts again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
