#!/usr/bin/env python3
"""Show, merge, prune, check, validate and export logs, as ``python -m rivulet.log_tools``."""

import _bootstrap  # noqa: F401
from rivulet.log_tools.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
