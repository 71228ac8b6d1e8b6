"""How each Relax operator is computed on axes in the order in which they lie in memory."""

from rivulet.graph.layout.rewrite import Rule
from rivulet.graph.layout.rules import (
    elementwise,
    movement,
    normalisation,
    products,
    reductions,
    spatial,
    views,
)

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **movement.RULES,
    **normalisation.RULES,
    **products.RULES,
    **reductions.RULES,
    **spatial.RULES,
    **views.RULES,
}

# Those that put data into an order of their own, whatever the order of what they read.
SETTLING = frozenset(spatial.RULES)

__all__ = ["RULES", "SETTLING"]
