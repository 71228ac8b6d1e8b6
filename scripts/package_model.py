#!/usr/bin/env python3
"""Make a compiled model a folder that runs without this project."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("package-transfer", "package"))
