"""What checks of the configuration may ask of the world around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

Places = Mapping[str, Mapping[str, float]]
"""Target to its sources' places by a ranking."""


def base_folder(info: ValidationInfo) -> Path:
    """Folder that paths in the configuration are relative to."""
    return Path(_context(info).get("base_dir") or ".")


def places_known(info: ValidationInfo) -> Places | None:
    """What the ranking's file said when the configuration was checked; None while it is checked.

    A configuration that comes from a plan was checked before it was planned. Its files may have
    changed or gone since, and what it means must not change with them.
    """
    found: Places | None = _context(info).get("places")
    return found


def _context(info: ValidationInfo) -> dict[str, Any]:
    return info.context or {}
