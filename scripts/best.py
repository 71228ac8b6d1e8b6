#!/usr/bin/env python3
"""Show the best schedules of a model or of one kernel, as ``logs.py best``."""

import sys

import _bootstrap  # noqa: F401
from rivulet.log_tools.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["best", *sys.argv[1:]]))
