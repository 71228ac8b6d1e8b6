#!/usr/bin/env python3
"""Export a model to ONNX."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("export"))
