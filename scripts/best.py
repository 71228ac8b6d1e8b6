#!/usr/bin/env python3
"""Show the best schedules that all logs below results/ have: of a model, or of one kernel."""

import _bootstrap  # noqa: F401
from rivulet.records.best_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
