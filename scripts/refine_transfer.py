#!/usr/bin/env python3
"""Refine what a transfer has taken by droplet search."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("droplet-transfer"))
