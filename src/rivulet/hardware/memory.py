"""Where large arrays lie in this machine's memory."""

from __future__ import annotations

import numpy as np

# TVM takes memory of others only where it begins at a multiple of this.
_ALIGNMENT = 64


def aligned(size: int) -> int:
    """The next multiple of `_ALIGNMENT`."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def aligned_block(size: int) -> np.ndarray:
    """So many bytes of memory that begin where TVM takes them."""
    block = np.empty(size + _ALIGNMENT, np.uint8)
    skipped = -block.ctypes.data % _ALIGNMENT
    return block[skipped : skipped + size]


def in_one_block(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Copies of arrays side by side in one block of memory, in their order.

    numpy asks for huge pages for a large array, and the allocators of compilers' runtimes do not:
    on a machine that gives them on request only (``madvise``, the default of many
    distributions), reading weights from memory is up to twice as fast out of such a block.

    Args:
        arrays: The arrays; the list is emptied, so that each is freed when it has been copied.
    """
    starts = np.cumsum([0, *(aligned(array.nbytes) for array in arrays)])
    block = aligned_block(int(starts[-1]))
    copies = []
    for start in starts[:-1]:
        array = arrays.pop(0)
        copy = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        copies.append(copy)
    return copies
