"""Names that tell candidates apart."""

from __future__ import annotations

from typing import Any


def candidate_name(module: Any) -> str:
    """Structural hash of a scheduled module, hexadecimal: equal code, equal name."""
    import tvm_ffi

    return f"{tvm_ffi.structural_hash(module) & (2**64 - 1):016x}"
