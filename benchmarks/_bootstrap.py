"""Puts src/ on the import path, so that benchmarks run from a checkout without an installation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
