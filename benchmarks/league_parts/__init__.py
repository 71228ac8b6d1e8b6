"""The league table: models, what each is run with, and what comes of it."""

import sys
from pathlib import Path

# So that it runs from a checkout without an installation.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
