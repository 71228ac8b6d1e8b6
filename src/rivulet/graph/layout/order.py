"""The order of a tensor's axes in memory, as arithmetic on tuples.

An order is a permutation: axis ``i`` in memory is axis ``order[i]`` of the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Order = tuple[int, ...]
Shape = tuple[int, ...]


def identity(rank: int) -> Order:
    """Axes as the model has them."""
    return tuple(range(rank))


def inverse(order: Order) -> Order:
    """Where each of the model's axes lies in memory."""
    places = [0] * len(order)
    for place, axis in enumerate(order):
        places[axis] = place
    return tuple(places)


def channels_last(rank: int) -> Order:
    """Batch, space, channels; the model has batch, channels, space."""
    return (0, *range(2, rank), 1)


def stored_shape(shape: Shape, order: Order) -> Shape:
    """Extents in memory of a tensor of the model's ``shape``."""
    return tuple(shape[axis] for axis in order)


def between(current: Order, wanted: Order) -> Order:
    """Axes to transpose a tensor by that lies in one order, so that it lies in another.

    >>> between((0, 2, 3, 1), (0, 1, 2, 3))
    (0, 3, 1, 2)
    """
    places = inverse(current)
    return tuple(places[axis] for axis in wanted)


def same_memory(first: Order, second: Order, shape: Shape) -> bool:
    """Do two orders differ in axes of extent 1 only, which lie anywhere?"""
    return _moving(first, shape) == _moving(second, shape)


def without(order: Order, removed: Sequence[int]) -> Order:
    """The order of what is left when some of the model's axes are gone."""
    kept = [axis for axis in range(len(order)) if axis not in removed]
    number = {axis: i for i, axis in enumerate(kept)}
    return tuple(number[axis] for axis in order if axis in number)


def segments(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """The smallest groups of neighbouring axes that a reshape changes each for itself.

    Axes of extent 1 belong to no group.

    Returns:
        For each group, its axes before and after.

    >>> segments((1, 116, 28, 28), (1, 2, 58, 28, 28))
    [([1], [1, 2]), ([2], [3]), ([3], [4])]
    """
    groups = []
    before = [axis for axis, extent in enumerate(old) if extent != 1]
    after = [axis for axis, extent in enumerate(new) if extent != 1]
    while before or after:
        left, right = [before.pop(0)], [after.pop(0)]
        sizes = old[left[0]], new[right[0]]
        while sizes[0] != sizes[1]:
            if sizes[0] < sizes[1]:
                left.append(before.pop(0))
            else:
                right.append(after.pop(0))
            sizes = math.prod(old[a] for a in left), math.prod(new[a] for a in right)
        groups.append((left, right))
    return groups


def order_after_reshape(old: Shape, new: Shape, order: Order) -> tuple[Order, Order]:
    """How a reshape is done on a tensor as it lies in memory.

    Returns:
        The order that it has to lie in (the given one where that will do: each group of
        `segments` together, and its axes as the model has them), and the order of the reshaped.
    """
    groups = segments(old, new)
    places = inverse(order)
    # A group lies where the last of its axes does: channels stay last.
    ranked = sorted(groups, key=lambda group: max(places[axis] for axis in group[0]))
    ones = [axis for axis, extent in enumerate(old) if extent == 1]
    needed = (*ones, *(axis for before, _ in ranked for axis in before))
    if same_memory(needed, order, old):
        needed = order
    new_ones = [axis for axis, extent in enumerate(new) if extent == 1]
    return needed, (*new_ones, *(axis for _, after in ranked for axis in after))


def _moving(order: Order, shape: Shape) -> Order:
    return tuple(axis for axis in order if shape[axis] != 1)
