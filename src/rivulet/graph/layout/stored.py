"""A value of the imported graph, and how it lies in the memory of the rewritten one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivulet.graph.layout.order import Order, Shape, identity, stored_shape


@dataclass(frozen=True, eq=False)
class Merged:
    """What an axis is made of whose parts lie in another order than the model's.

    Attributes:
        axis: The axis of the model.
        extents: Its parts, in the model's order, slowest first.
        order: Part ``i`` in memory is part ``order[i]`` of these.
    """

    axis: int
    extents: Shape
    order: Order


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor.

    Attributes:
        shape: Its shape in the model.
        dtype: Its element type.
        order: Order of its axes in memory.
        value: Relax variable of the rewritten graph, of shape ``stored_shape(shape, order)``;
            None for a weight.
        weight: A weight's numbers, in the model's order. It gets into the graph where it is used,
            in the order in which it is.
        merged: An axis whose parts lie in another order, such as channels and pixels that the
            model has flattened; only a matrix product reads that, with rows of its weights
            moved.
        written: Whether its order is due to a transpose that the model's author wrote.
    """

    shape: Shape
    dtype: str
    order: Order
    value: Any = None
    weight: np.ndarray | None = None
    merged: Merged | None = None
    written: bool = False

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def memory_shape(self) -> Shape:
        """Extents in memory."""
        return stored_shape(self.shape, self.order)

    @property
    def is_scalar(self) -> bool:
        """A weight of one number?"""
        return self.weight is not None and self.weight.size == 1


@dataclass(frozen=True, eq=False)
class Opaque:
    """Something else than a tensor of known shape, which goes on as it is.

    Attributes:
        value: Its expression in the rewritten graph.
    """

    value: Any


def weight(array: np.ndarray) -> Stored:
    """A weight of the model."""
    return Stored(array.shape, str(array.dtype), identity(array.ndim), weight=array)
