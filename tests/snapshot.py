"""Everything that a command could change in a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Path of each file, folder and link to its mode, modification time in ns, and content."""
    found = {}
    for place, folders, names in os.walk(folder):
        for path in (Path(place, name) for name in [*folders, *names]):
            state = path.lstat()
            content = ""
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(folder))] = (state.st_mode, state.st_mtime_ns, content)
    return found
