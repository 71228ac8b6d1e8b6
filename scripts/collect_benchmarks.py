#!/usr/bin/env python3
"""Collect the tables of all pairs into one."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("collect"))
