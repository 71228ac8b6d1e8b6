"""Einstein sums of two tensors as matrix products, which are tuned as such."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rivulet.graph.converters.node import Node, converts


@converts("Einsum")
def einsum(node: Node) -> Any:
    """A batched matrix product where the equation is one; TVM's own operator otherwise."""
    from tvm import relax

    equation = node.text("equation", "").replace(" ", "")
    product = _as_product(equation) if len(node.inputs) == 2 else None
    if product is None:
        tensors = [node.tensor(place) for place in range(len(node.inputs))]
        return relax.op.einsum(relax.Tuple(tensors), equation)
    return _multiplied(node, product)


@dataclass(frozen=True)
class _Product:
    """Labels of a matrix product: of each operand, of the result, and their roles."""

    left: str
    right: str
    result: str
    batch: str
    rows: str
    columns: str
    summed: str


def _as_product(equation: str) -> _Product | None:
    given, arrow, result = equation.partition("->")
    left, _, right = given.partition(",")
    labels = left + right + result
    if not arrow or "." in labels or any(len(set(t)) < len(t) for t in (left, right, result)):
        return None
    both = [label for label in left if label in right]
    alone = [label for label in labels if (label in left) != (label in right)]
    if any(label not in result for label in alone):
        return None  # a sum over one operand alone
    return _Product(
        left,
        right,
        result,
        batch="".join(label for label in both if label in result),
        rows="".join(label for label in left if label not in right),
        columns="".join(label for label in right if label not in left),
        summed="".join(label for label in both if label not in result),
    )


def _multiplied(node: Node, product: _Product) -> Any:
    from tvm import relax

    extents = dict(zip(product.left, node.shape(0), strict=True))
    extents |= dict(zip(product.right, node.shape(1), strict=True))

    def arranged(place: int, labels: str, last: tuple[str, str]) -> Any:
        wanted = product.batch + last[0] + last[1]
        x = relax.op.permute_dims(node.tensor(place), [labels.index(label) for label in wanted])
        batch = [extents[label] for label in product.batch]
        return relax.op.reshape(
            x, (*batch, *(math.prod(extents[label] for label in part) for part in last))
        )

    x = arranged(0, product.left, (product.rows, product.summed))
    y = arranged(1, product.right, (product.summed, product.columns))
    made = product.batch + product.rows + product.columns
    z = relax.op.reshape(relax.op.matmul(x, y), tuple(extents[label] for label in made))
    return relax.op.permute_dims(z, [made.index(label) for label in product.result])
