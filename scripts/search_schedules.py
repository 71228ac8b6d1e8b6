#!/usr/bin/env python3
"""Search schedules for all kernels of a model, or go on with the search."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("search"))
