#!/usr/bin/env python3
"""Describe the node of a cluster that a hardware name stands for."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("machine"))
