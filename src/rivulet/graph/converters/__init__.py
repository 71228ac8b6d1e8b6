"""Converters of single ONNX operators that replace those of TVM's importer while it runs.

TVM's are opaque to the passes behind them (calls of TE functions instead of Relax operators), or
wrong. `TABLE` maps an operator's name to a function from a `Node` to the Relax expression of its
output, or to a list of expressions where it has several. They are written in Relax operators
alone, which the passes over the graph know.
"""

from __future__ import annotations

from rivulet.graph.converters.installing import ConversionError, own_converters
from rivulet.graph.converters.node import TABLE, Node, RefusedError, converts

__all__ = ["TABLE", "ConversionError", "Node", "RefusedError", "converts", "own_converters"]
