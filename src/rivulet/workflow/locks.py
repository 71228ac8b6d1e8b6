"""Release the lock that a killed Snakemake left behind on its folder.

Snakemake locks a folder by files that name no process, so after a kill it refuses to go on until
somebody runs ``snakemake --unlock``. Each run of this workflow notes who it is; where all that
were noted ran on this machine and none is alive, the lock is nobody's.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path

import psutil

Owner = tuple[str, int, float]  # host, process id, start of the process


def release_stale_lock(folder: Path = Path(".snakemake")) -> str | None:
    """Remove Snakemake's lock if its owner is dead; returns a note when it did.

    Args:
        folder: Snakemake's own folder.
    """
    notes = folder / "rivulet-owners.json"
    owners = _read(notes)
    locks = sorted((folder / "locks").glob("*")) if (folder / "locks").exists() else []
    here = platform.node()
    alive = [owner for owner in owners if owner[0] != here or _alive(owner)]
    released = None
    if locks and owners and not alive:
        for lock in locks:
            lock.unlink(missing_ok=True)
        released = "note: the lock of an earlier run that was killed is released"
    me = (here, os.getpid(), psutil.Process().create_time())
    folder.mkdir(exist_ok=True)
    temporary = folder / f".rivulet-owners.{os.getpid()}"
    temporary.write_text(json.dumps([*alive, me]))
    temporary.replace(notes)
    return released


def is_running(folder: Path = Path(".snakemake")) -> bool:
    """Whether a workflow runs in the folder; one on another machine counts as long as it locks.

    Args:
        folder: Snakemake's own folder.
    """
    locked = any((folder / "locks").glob("*"))
    here = platform.node()
    owners = _read(folder / "rivulet-owners.json")
    return locked and any(owner[0] != here or _alive(owner) for owner in owners)


def _read(path: Path) -> list[Owner]:
    with contextlib.suppress(OSError, ValueError):
        entries = json.loads(path.read_text())
        return [(str(host), int(pid), float(start)) for host, pid, start in entries]
    return []


def _alive(owner: Owner) -> bool:
    _, pid, start = owner
    with contextlib.suppress(psutil.Error):
        return bool(abs(psutil.Process(pid).create_time() - start) < 1.0)
    return False
