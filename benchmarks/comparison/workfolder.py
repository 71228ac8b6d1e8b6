"""The folder in which a comparison keeps its runs, held by one invocation at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rivulet.errors import UserError

_MARKER = ".comparison-of-searches"
RUNS = "runs"


@contextmanager
def work_folder(folder: Path, fresh: bool) -> Iterator[Path]:
    """Open or make the folder, and hold it.

    Args:
        folder: The folder.
        fresh: Remove what earlier invocations kept there.

    Raises:
        UserError: It holds something else, or another invocation holds it.
    """
    marker = folder / _MARKER
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--work {folder}: this is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not marker.exists():
        raise UserError(
            f"--work {folder}: the folder holds other things; name an empty or a new one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with marker.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--work {folder}: another comparison is running there; wait for its end, or "
                "name another folder"
            ) from None
        if fresh:
            shutil.rmtree(folder / RUNS, ignore_errors=True)
        (folder / RUNS).mkdir(exist_ok=True)
        yield folder
