#!/usr/bin/env python3
"""Measure what droplet search gained on a model's logs."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("gain"))
