"""Names of kernels as people and file systems can bear them.

TVM names a fused kernel after everything that was fused into it, which may take hundreds of
characters: more than a line of a terminal has, and more than the 255 bytes of a file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LINE = 60
"""Characters that a kernel's name may take in a line on a terminal."""

_MARK = "~"
_DIGITS = 8


def short_name(name: str, limit: int = LINE) -> str:
    """A kernel's name, cut where it is longer than ``limit`` characters.

    What is cut off is told by a hash of the whole name, so that two long names with the same
    beginning stay apart. The result does not depend on what other names there are.

    >>> short_name("fused_conv2d_add_relu")
    'fused_conv2d_add_relu'
    >>> short_name("fused_conv2d_add_relu" + "_add_relu" * 20, 32)
    'fused_conv2d_add_relu_a~5fa6f93e'
    """
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: limit - _DIGITS - len(_MARK)]}{_MARK}{digest}"


def full_name(given: str, names: Iterable[str]) -> str | None:
    """The kernel that a person means, who may have its short name from a line; None for none.

    Args:
        given: A kernel's name, whole or as `short_name` gives it.
        names: All names.
    """
    return next((name for name in names if given in (name, short_name(name))), None)
