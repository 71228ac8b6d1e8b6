#!/usr/bin/env python3
"""Write the report."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("full-report"))
