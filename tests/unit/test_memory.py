"""Arrays side by side in one block."""

import numpy as np

from rivulet.hardware.memory import in_one_block


def test_arrays_lie_side_by_side_aligned_and_as_they_were():
    generator = np.random.default_rng(0)
    given = [
        generator.standard_normal((3, 5)).astype(np.float32),
        np.array(7, np.int64),
        np.zeros((0, 4), np.float16),
        generator.standard_normal((1 << 20,)),
        np.arange(5, dtype=np.int8)[::2],
    ]
    block = in_one_block(list(given))
    for copy, array in zip(block, given, strict=True):
        assert copy.dtype == array.dtype
        assert np.array_equal(copy, array)
        assert copy.shape == array.shape
        assert copy.ctypes.data % 64 == 0 or not copy.size
    places = [copy.ctypes.data for copy in block if copy.size]
    assert places == sorted(places)
    assert places[-1] - places[0] < sum(array.nbytes for array in given) + 64 * len(given)


def test_what_was_copied_is_let_go():
    given = [np.ones(3), np.ones(4)]
    in_one_block(given)
    assert given == []


def test_nothing_gives_nothing():
    assert in_one_block([]) == []
