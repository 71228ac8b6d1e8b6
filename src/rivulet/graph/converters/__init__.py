"""Converters of single ONNX operators that replace those of TVM's importer while it runs.

TVM's are opaque to the passes behind them (calls of TE functions instead of Relax operators), or
wrong. `TABLE` maps an operator's name to its converter class.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_converters() -> Iterator[None]:
    """While active, TVM's importer takes the converters of `TABLE`."""
    yield
