"""The vector registers of a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivulet.hardware.target import enabled_features


@dataclass(frozen=True)
class VectorRegisters:
    """The registers that a kernel's accumulators live in.

    Attributes:
        bytes: Size of one register.
        count: How many there are.
    """

    bytes: int
    count: int


# LLVM feature, bytes of a register, number of registers; the widest first.
_BY_FEATURE = (("avx512f", 64, 32), ("avx", 32, 16), ("sse2", 16, 16), ("neon", 16, 32))


def vector_registers(target: Any) -> VectorRegisters | None:
    """Vector registers of a CPU target; None for one that has no such thing, or none known.

    AVX-512 doubles the number of registers of x86 as well as their size; 64-bit Arm has 32.
    """
    if str(target.kind.name) != "llvm":
        return None
    features = enabled_features(target)
    for feature, size, count in _BY_FEATURE:
        if feature in features:
            return VectorRegisters(size, count)
    return None
