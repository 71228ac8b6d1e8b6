"""Powers whose exponent is a constant.

LLVM itself rewrites the exponents 2, 1/2, 1 and -1; a cube (GELU in older exports) or a power of
3/4 (local response normalisation) would be a call of the C library for each number.
"""

from __future__ import annotations

import math

from rivulet.tvm_compat.vector_math.llvm import Function, Value

# Each product rounds, so larger exponents would exceed the bound that the other functions keep to.
_LARGEST, _SMALLEST = 8, -4


def covers(exponent: float) -> bool:
    """Is it a multiple of 1/4 from -4 to 8?"""
    return _SMALLEST <= exponent <= _LARGEST and not (exponent * 4) % 1


def power(f: Function, x: Value, exponent: float) -> Value:
    """x^exponent for an exponent that is covered."""
    whole, quarters = divmod(round(abs(exponent) * 4), 4)
    if quarters:
        x = _without_sign(f, x)
    # A power may overflow or vanish where its reciprocal does not, but a root never does.
    base = x if exponent >= 0 else f.constant(1.0) / x
    factors = [_whole_power(base, whole)] if whole else []
    if quarters:
        root = f.sqrt(x)
        roots = [root] if quarters & 2 else []
        roots += [f.sqrt(root)] if quarters & 1 else []
        factors += [r if exponent >= 0 else f.constant(1.0) / r for r in roots]
    result = factors[0] if factors else f.constant(1.0)
    for factor in factors[1:]:
        result = result * factor
    return result


def _without_sign(f: Function, x: Value) -> Value:
    """What a power that is not whole sees of x: no sign of zero or infinity, NaN below zero."""
    invalid = f.select(x.equals(-math.inf), math.inf, math.nan)
    return f.select(x > 0.0, x, f.select(x.equals(0.0), 0.0, invalid))


def _whole_power(base: Value, exponent: int) -> Value:
    if exponent == 1:
        return base
    half = _whole_power(base, exponent // 2)
    return half * half * base if exponent % 2 else half * half
