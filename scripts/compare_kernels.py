#!/usr/bin/env python3
"""Rank the sources of each target by how alike their kernels are."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("similarity"))
