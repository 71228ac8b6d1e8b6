"""Values for a kernel's arguments, by their roles: for timing it and for checking its output."""

from __future__ import annotations

import numpy as np

from rivulet.tvm_compat.arguments import Call
from rivulet.tvm_compat.intervals import Interval
from rivulet.tvm_compat.value_ranges import is_index

# Smaller numbers are pushed out to this: as float16 they would be denormal, which some processors
# compute with a hundred times slower, and nothing can be divided by zero.
_SMALLEST = 2.0**-10
# Elements drawn at a time: what stands between must not need the memory of a large argument again.
_PART = 2**18


def argument_values(call: Call, position: int, seed: int) -> np.ndarray:
    """Seeded random values for one argument of a kernel, evenly spread over its range.

    Whole numbers and indices are drawn with both ends of the range, so that all rows of a table
    are hit alike. Floating-point numbers are never zero or denormal.

    Args:
        call: What the kernel is called with.
        position: Which argument.
        seed: Seed; each position has a stream of its own.
    """
    shape, name = call.args[position]
    values = np.empty(shape, np.dtype(name))
    fill_argument(values, call, position, seed)
    return values


def fill_argument(array: np.ndarray, call: Call, position: int, seed: int) -> None:
    """Write what `argument_values` returns to an array of the argument's shape and dtype."""
    span, generator = call.range_of(position), np.random.default_rng([seed, position])
    flat = array.reshape(-1)
    for begin in range(0, flat.size, _PART):
        part = flat[begin : begin + _PART]
        part[:] = _drawn(generator, span, part.dtype, part.size)


def _drawn(
    generator: np.random.Generator, span: Interval, dtype: np.dtype, count: int
) -> np.ndarray:
    if dtype.kind not in "f":
        last = span.high if dtype.kind == "b" else min(span.high, np.iinfo(dtype).max)
        return generator.integers(int(span.low), int(last) + 1, count)
    if is_index(span):
        return generator.integers(0, int(span.high) + 1, count)
    values = generator.random(count, np.float32)
    values = values * np.float32(span.high - span.low) + np.float32(span.low)
    if span.has_zero:
        values = np.where(np.abs(values) < _SMALLEST, np.float32(_SMALLEST), values)
    return values
