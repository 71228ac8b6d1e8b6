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

__all__ = ["RULES"]
