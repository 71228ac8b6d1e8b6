"""A scratch folder per job, removed at its end, or by the next job if it was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "rivulet-scratch-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder, point TMPDIR at it for this process and its children, remove it after.

    The owner holds a lock on a file in it, so that a folder whose owner was killed is told from
    one in use, and only the former is swept.
    """
    base = Path(tempfile.gettempdir())
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    before = os.environ.get("TMPDIR")
    handle = os.open(folder / "owner.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _sweep(base: Path) -> None:
    for lock in base.glob(f"{_PREFIX}*/owner.lock"):
        with contextlib.suppress(OSError):
            handle = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(handle)
