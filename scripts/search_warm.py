#!/usr/bin/env python3
"""Search a model, started from what a transfer to it has measured."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("warm"))
