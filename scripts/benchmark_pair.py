#!/usr/bin/env python3
"""Benchmark a pair: all methods on the target, timed in turns."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("benchmark"))
