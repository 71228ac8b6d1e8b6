"""Release the lock that a killed Snakemake left behind on its folder.

Snakemake locks a folder by files that name no process, so after a kill it refuses to go on until
somebody runs ``snakemake --unlock``. Each run of this workflow notes who it is; where all that
were noted ran on this machine and none is alive, the lock is nobody's, and the next run removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path

import psutil

from rivulet.workflow.snakemake_compat import FOLDER, lock_files

Owner = tuple[str, int, float]  # host, process id, start of the process


def take_over_lock(folder: Path = FOLDER) -> str | None:
    """Note that this process is about to run jobs; remove the lock of one that is dead.

    Args:
        folder: Snakemake's own folder.

    Returns:
        What to tell of a lock that was removed; None without one.
    """
    stale = stale_locks(folder)
    for lock in stale:
        lock.unlink(missing_ok=True)
    me = (platform.node(), os.getpid(), psutil.Process().create_time())
    notes = _notes(folder)
    living = [owner for owner in _read(notes) if _may_live(owner)]
    folder.mkdir(exist_ok=True)
    temporary = folder / f".rivulet-owners.{os.getpid()}"
    temporary.write_text(json.dumps([*living, me]))
    temporary.replace(notes)
    return "note: the lock of an earlier run that was killed is released" if stale else None


def stale_locks(folder: Path = FOLDER) -> list[Path]:
    """Files of a lock whose owners are all known, of this machine, and dead.

    Args:
        folder: Snakemake's own folder.
    """
    owners = _read(_notes(folder))
    return [] if not owners or any(map(_may_live, owners)) else lock_files(folder)


def is_running(folder: Path = FOLDER) -> bool:
    """Whether a workflow runs in the folder; one on another machine counts as long as it locks.

    Args:
        folder: Snakemake's own folder.
    """
    return bool(lock_files(folder)) and any(map(_may_live, _read(_notes(folder))))


def _notes(folder: Path) -> Path:
    return folder / "rivulet-owners.json"


def _read(path: Path) -> list[Owner]:
    with contextlib.suppress(OSError, ValueError):
        entries = json.loads(path.read_text())
        return [(str(host), int(pid), float(start)) for host, pid, start in entries]
    return []


def _may_live(owner: Owner) -> bool:
    """Nobody can tell from here of a process on another machine."""
    return owner[0] != platform.node() or _alive(owner)


def _alive(owner: Owner) -> bool:
    _, pid, start = owner
    with contextlib.suppress(psutil.Error):
        return bool(abs(psutil.Process(pid).create_time() - start) < 1.0)
    return False
