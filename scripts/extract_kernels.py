#!/usr/bin/env python3
"""Extract the kernels of a model, once it is known that TVM computes it right."""

import _bootstrap  # noqa: F401
from rivulet.stages.main import main

if __name__ == "__main__":
    raise SystemExit(main("kernels"))
