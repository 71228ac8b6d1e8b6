"""Show the best schedules of a model or of one kernel, as ``rivulet logs best``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rivulet.log_tools.cli import main as logs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    return logs(["best", *(sys.argv[1:] if arguments is None else arguments)])
