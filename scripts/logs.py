#!/usr/bin/env python3
"""Show, merge, prune, check, validate and export tuning logs, as ``python -m rivulet.records``."""

import _bootstrap  # noqa: F401
from rivulet.records.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
