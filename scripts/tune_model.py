#!/usr/bin/env python3
"""Make the log of a method: its record's path tells the method, and what it is of."""

import _bootstrap  # noqa: F401
from rivulet import methods
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main(*methods.jobs()))
