#!/usr/bin/env python3
"""Compile a model, with the best schedules of a log or without any."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("compile", "compile-untuned", "compile-transfer"))
