#!/usr/bin/env python3
"""Create or update .venv, Rivulet's Python environment, from the pins in envs/requirements.txt.

`make env` calls this. The work is done by `python -m venv` and `pip install`, which heed pip's own
settings (a company's mirror, a folder of wheels). Added is what these two say late or not at all:
that Python is another one, that nothing here can link, that the disk is too small. A stamp named
after the pins tells that an environment is whole, so that the next call has nothing to do.

Exit status: 0 ready; 1 a step of the installation failed; 2 this machine or Python lacks something.
"""

# Only the standard library, and no syntax newer than Python 3.7: a wrong Python has to get far
# enough to be told so.
from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED_GB_NEW, NEEDED_GB_UPDATE = 4.0, 1.0
COMPILERS = ("g++", "gcc", "clang++", "clang", "c++", "cc")  # in TVM's own order
STAMP = ".rivulet-"
COMMAND = "rivulet"
# Settings that would put the packages elsewhere than into .venv, or not install them.
UNWANTED_SETTINGS = {
    *("PYTHONHOME", "PYTHONPATH", "PIP_CONSTRAINT", "PIP_DRY_RUN"),
    *("PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER"),
}


# --- What can be wrong with a machine: each check returns a line, or None


def problem_with_python(version: Sequence[int]) -> str | None:
    """Check the running Python, given its version."""
    if tuple(version[:2]) == (3, 11):
        return None
    return (
        f"Rivulet needs Python 3.11, but this is Python {'.'.join(map(str, version[:3]))}; "
        "choose another one with: make env PYTHON=/path/to/python3.11"
    )


def problem_with_machine(system: str, machine: str) -> str | None:
    """Check the kind of machine: pip would say only that there is no such version of a package."""
    if system == "Linux" and machine in ("x86_64", "aarch64"):
        return None
    return (
        f"Rivulet runs on Linux on x86_64 or aarch64, but this is {system} on {machine}; "
        "use such a machine, or a container or virtual machine of that kind"
    )


def problem_with_linking() -> str | None:
    """Check that TVM's compiler can link a shared library, by linking an empty one."""
    chosen = shlex.split(os.environ.get("CXX") or os.environ.get("CC") or "")
    command = chosen or [name for name in COMPILERS if shutil.which(name)][:1]
    if not command or not shutil.which(command[0]):
        found = f"the compiler '{command[0]}' is not" if command else "no C compiler is"
        return (
            f"{found} on PATH, but TVM's generated code has to be linked; "
            "install it with: apt install gcc"
        )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.c").touch()
        options = ["-shared", "-fPIC", "-o", "empty.so", "empty.c"]
        done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    reason = (done.stderr.strip().splitlines() or ["no message"])[0]
    return (
        f"'{shlex.join(command)}' cannot link a shared library, as TVM's generated code needs "
        f"({reason}); install what is missing with: apt install gcc binutils libc6-dev"
    )


def problem_with_disk(folder: Path, free_gb: float, needed_gb: float) -> str | None:
    """Check the disk, given the folder of the environment and what is free there."""
    if free_gb >= needed_gb:
        return None
    return (
        f"{folder} has {free_gb:.1f} GB of free disk, but the environment needs "
        f"{needed_gb:.0f} GB; free some, or put the checkout on a larger disk"
    )


# --- The environment as it is


def venv_state(venv: Path, stamp: str) -> str:
    """Return what an environment needs: 'nothing', 'update' (pins, the command) or 'create'."""
    if not any(venv.glob(STAMP + "*")):
        return "create"
    try:
        config = (venv / "pyvenv.cfg").read_text(errors="replace")
        version = output_of(venv, "-c", "import sys; print(*sys.version_info[:2])")
    except (OSError, subprocess.CalledProcessError):
        return "create"
    # The commands in bin/ name the place where the environment was made, so it must not move.
    made_at = re.search(r"^command = .*? -m venv (?:--\S+ )*(.*)$", config, re.MULTILINE)
    moved = made_at is not None and Path(made_at.group(1)).resolve() != venv.resolve()
    if moved or version.split() != ["3", "11"]:
        return "create"
    # One of an older checkout has no command.
    whole = (venv / stamp).exists() and (venv / "bin" / COMMAND).exists()
    return "nothing" if whole else "update"


def read_pins(requirements: str) -> list[str]:
    """Return the `name==version` lines of a requirements file, without comments."""
    pins = (line.split("#", 1)[0].strip() for line in requirements.splitlines())
    return [pin for pin in pins if pin]


def name_of(pin: str) -> str:
    """Return a pin's package name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower()


def comes_with_torch(name: str) -> bool:
    """Tell whether a package is one of the CUDA libraries that torch's CUDA build asks for."""
    return name == "triton" or name.startswith(("nvidia-", "cuda-"))


# --- Making it


def clean_environment() -> dict[str, str]:
    """Return the environment variables to run Python and pip with."""
    variables = {k: v for k, v in os.environ.items() if k not in UNWANTED_SETTINGS}
    return {**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def output_of(venv: Path, *arguments: str) -> str:
    """Return what the environment's Python prints."""
    command = [str(venv / "bin" / "python"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.run(command, env=clean_environment(), check=True, text=True, **pipes).stdout


def run(*command: str) -> None:
    """Run a command that speaks to the user itself."""
    subprocess.run(command, env=clean_environment(), stdin=subprocess.DEVNULL, check=True)


def install(venv: Path, state: str, requirements: Path) -> None:
    """Bring the environment to the pins: from nothing, or from those it has."""
    pip = (str(venv / "bin" / "python"), "-m", "pip")
    pins = read_pins(requirements.read_text())
    for stamp in venv.glob(STAMP + "*"):
        stamp.unlink()
    if state == "create":
        print("creating .venv", flush=True)
        base = getattr(sys, "_base_executable", sys.executable)  # never one in an environment
        run(base, "-m", "venv", "--clear", str(venv))
    else:
        kept = {"pip", "rivulet", *map(name_of, pins)}
        listed = output_of(venv, "-m", "pip", "list", "--format=freeze").splitlines()
        gone = [name for name in map(name_of, listed) if name not in kept]
        gone = [name for name in gone if not comes_with_torch(name)]
        if gone:
            print(f"removing what is pinned no more: {', '.join(gone)}", flush=True)
            run(*pip, "uninstall", "--yes", *gone)
    print(f"installing {len(pins)} packages (2 to 10 minutes)", flush=True)
    run(*pip, "install", "--requirement", str(requirements))
    run(*pip, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def make_environment() -> str | None:
    """Create or update the environment, unless it is as it should be; return what it lacks."""
    import fcntl  # not there on Windows, which is told so before

    venv, requirements = ROOT / ".venv", ROOT / "envs" / "requirements.txt"
    stamp = STAMP + hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    with contextlib.suppress(OSError):  # some network file systems cannot lock
        fcntl.flock(os.open(str(ROOT), os.O_RDONLY), fcntl.LOCK_EX)  # until this process ends
    state = venv_state(venv, stamp)
    if state == "nothing":
        print(".venv is up to date")
        return None
    needed = NEEDED_GB_NEW if state == "create" else NEEDED_GB_UPDATE
    problem = problem_with_linking()
    problem = problem or problem_with_disk(ROOT, shutil.disk_usage(str(ROOT)).free / 1e9, needed)
    if problem is None:
        install(venv, state, requirements)
        (venv / stamp).write_text("The packages of envs/requirements.txt are all installed.\n")
        print(".venv is ready")
    return problem


def main() -> int:
    """Run the command line; the result is the exit status."""
    status = 2
    try:
        problem = problem_with_python(sys.version_info)
        problem = problem or problem_with_machine(platform.system(), platform.machine())
        problem = problem or make_environment()
    except subprocess.CalledProcessError as error:
        command = shlex.join(error.cmd)
        why = f"status {error.returncode}, its reason is above; 'make env' starts again"
        problem, status = f"'{command}' failed ({why})", 1
    except OSError as error:
        problem = f"{error.filename or ROOT}: {error.strerror or error}"
    except KeyboardInterrupt:
        problem, status = "interrupted; the next 'make env' starts again", 130
    if problem is None:
        return 0
    print(f"error: {problem}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
