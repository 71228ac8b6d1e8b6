"""What a worker process prints, kept until it is known whether it tells why the process died."""

from __future__ import annotations

import fcntl
import os


class Printed:
    """A file in memory that a child process prints to."""

    def __init__(self) -> None:
        self._handle = os.memfd_create("rivulet-worker-output")
        # The child shares the handle's position; appending keeps it from writing past a gap.
        fcntl.fcntl(self._handle, fcntl.F_SETFL, os.O_APPEND)

    def fileno(self) -> int:
        """Handle to print to."""
        return self._handle

    def pass_on(self) -> str:
        """Print what came since the last time to where this process prints; return it."""
        size = os.fstat(self._handle).st_size
        if not size:
            return ""
        data = os.pread(self._handle, size, 0)
        os.ftruncate(self._handle, 0)
        with open(2, "wb", closefd=False) as stream:
            stream.write(data)
        return data.decode(errors="replace")

    def __del__(self) -> None:
        """Free the memory."""
        os.close(self._handle)
