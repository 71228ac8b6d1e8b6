#!/usr/bin/env python3
"""Collect what was measured of droplet search on one hardware."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("collect-gain", "collect-effect"))
