"""Rivulet's search and TVM's stock tuner, run side by side under equal conditions."""

import sys
from pathlib import Path

# So that it runs from a checkout without an installation.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
