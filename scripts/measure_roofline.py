#!/usr/bin/env python3
"""Measure what the machine can do at most."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("roofline"))
