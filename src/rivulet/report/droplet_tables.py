"""The tables of what was measured of droplet search, read."""

from __future__ import annotations

from pathlib import Path

from rivulet.droplet.study import EffectRow, GainRow
from rivulet.report.reading import read_rows


def read_gain(path: Path) -> list[GainRow]:
    """Read a ``droplet_gain.csv``.

    Raises:
        UserError: It is not readable as such.
    """
    return read_rows(path, GainRow)


def read_effects(path: Path) -> list[EffectRow]:
    """Read a ``droplet_effect.csv``.

    Raises:
        UserError: It is not readable as such.
    """
    return read_rows(path, EffectRow)
