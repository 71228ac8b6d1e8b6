"""The vector registers of a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivulet.tvm_compat import load_tvm


@dataclass(frozen=True)
class VectorRegisters:
    """The registers that a kernel's accumulators live in.

    Attributes:
        bytes: Size of one register.
        count: How many there are.
    """

    bytes: int
    count: int


def vector_registers(target: Any) -> VectorRegisters | None:
    """Vector registers of a CPU target; None for one that has no such thing, or none known.

    AVX-512 doubles the number of registers of x86 as well as their size; 64-bit Arm has 32 of
    whatever size.
    """
    if str(target.kind.name) != "llvm":
        return None
    codegen = load_tvm().target.codegen
    bits = int(codegen.llvm_get_vector_width(target))
    if bits <= 0:
        return None
    arm = "aarch64" in str(target.attrs.get("mtriple", ""))
    return VectorRegisters(bits // 8, 32 if arm or bits >= 512 else 16)
