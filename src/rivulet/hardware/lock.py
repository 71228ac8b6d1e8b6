"""One measurement at a time on a device, whatever process or workflow asks."""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Fixed, not TMPDIR: two workflows with different TMPDIRs still share the machine's CPU.
LOCK_FOLDER = Path(os.environ.get("RIVULET_LOCK_DIR", "/tmp"))
_POLL_SECONDS = 0.2


@contextmanager
def device_lock(
    device: str,
    holder: str,
    on_wait: Callable[[str], None] | None = None,
    shared: bool = False,
) -> Iterator[None]:
    """Hold the device, alone or beside others that do not measure; wait until that is possible.

    Every hardware entry with a local runner is the same device, the machine's CPU, whatever
    the entry is called. The lock ends with the process, also when it is killed.

    Args:
        device: Name of the device, such as ``cpu``.
        holder: Who asks, as the waiting process should read it.
        on_wait: Called once with the present holder's text when there is one.
        shared: For work that measures nothing, but would disturb a measurement: any number of
            such holders go together, and none beside a measurement.
    """
    with file_lock(LOCK_FOLDER / f"rivulet-{device}.lock", holder, on_wait, shared):
        yield


@contextmanager
def file_lock(
    path: Path,
    holder: str,
    on_wait: Callable[[str], None] | None = None,
    shared: bool = False,
) -> Iterator[None]:
    """Hold a lock file that names its holder; see `device_lock`.

    Args:
        path: The file; made when it is not there, and left there.
        holder: As for `device_lock`.
        on_wait: As for `device_lock`.
        shared: As for `device_lock`.
    """
    handle = _open_for_all(path)
    try:
        waited = False
        while True:
            try:
                mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(handle, mode | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited and on_wait is not None:
                    on_wait(path.read_text().strip() or "jobs that compile")
                waited = True
                time.sleep(_POLL_SECONDS)
        os.ftruncate(handle, 0)  # of the note of a holder that was killed
        if shared:
            yield
            return
        process = f"process {os.getpid()} on {platform.node()}"
        text = f"{holder} ({process}, since {time.strftime('%H:%M:%S')})\n"
        os.pwrite(handle, text.encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _open_for_all(path: Path) -> int:
    """Open the lock file, also one that another user made: the device is everybody's."""
    try:
        # Without O_CREAT, which Linux may refuse for other users' files in shared folders.
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.fchmod(handle, 0o666)
        return handle
