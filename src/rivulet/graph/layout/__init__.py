"""Channels last: where values lie in memory, decided over the whole graph.

Convolutions, poolings and resizes read and write channels last, because a vector then holds
neighbouring channels. Everything between them takes its inputs as they lie. Each value of the
imported graph is followed with the order of its axes in memory (`stored.py`); an operator has a
rule (`rules`) that says how it is computed on axes in that order, and a transpose that the
model's author wrote is only a note on that order until something needs the data otherwise.
Operators without a rule get their inputs as the model has them.

TVM's ``ConvertLayout`` does the first half of it for the operators that it knows; it stops at
calls of functions, clips, resizes and pads, and carries no transposes through reshapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def channels_last(module: Any, weights: list[np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    """Rewrite an imported module so that data lies as its kernels read it.

    Args:
        module: ``IRModule`` whose ``main`` takes the inputs, then the weights.
        weights: The weights' numbers.

    Returns:
        The module, and the numbers of its weights, which are those that are used, as they lie.
    """
    from rivulet.graph.layout.rewrite import Rewriter
    from rivulet.graph.layout.rules import RULES, SETTLING

    return Rewriter(RULES, SETTLING, module, weights).run()
