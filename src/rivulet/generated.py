"""Files of the repository that are made from the code, and kept up to date by commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def bring_up_to_date(wanted: Mapping[Path, str], command: str, check: bool) -> int:
    """Write the files that are out of date, or name them only.

    Args:
        wanted: File to what it should hold.
        command: What writes them, for the message.
        check: Whether nothing is to be written.

    Returns:
        The command's exit status: 1 where a file is out of date and stays so.
    """
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if check:
            print(f"{path}: out of date; run '{command}' and commit the result", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"{path}: written")
    return 1 if stale and check else 0
