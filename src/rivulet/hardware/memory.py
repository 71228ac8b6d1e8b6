"""Where large arrays lie in this machine's memory."""

from __future__ import annotations

import numpy as np

# TVM takes memory of others only where it begins at a multiple of this.
_ALIGNMENT = 64


def in_one_block(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Copies of arrays side by side in one block of memory, in their order.

    numpy asks for huge pages for a large array, and the allocators of compilers' runtimes do not:
    on a machine that gives them on request only (``madvise``, the default of many
    distributions), reading weights from memory is up to twice as fast out of such a block.

    Args:
        arrays: The arrays; the list is emptied, so that each is freed when it has been copied.
    """
    starts = np.cumsum([0, *(-(-array.nbytes // _ALIGNMENT) * _ALIGNMENT for array in arrays)])
    block = np.empty(int(starts[-1]) + _ALIGNMENT, np.uint8)
    block = block[-block.ctypes.data % _ALIGNMENT :]
    copies = []
    for start in starts[:-1]:
        array = arrays.pop(0)
        copy = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        copies.append(copy)
    return copies
