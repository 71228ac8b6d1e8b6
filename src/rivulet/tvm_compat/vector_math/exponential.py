"""exp, and exp(x) - 1 for the functions that are made of it.

x = n ln 2 + r with a whole n and |r| <= ln(2) / 2, so that exp(x) = 2^n exp(r). Over that interval

    exp(r) = 1 + r (1 + r Q(r)),    Q of degree 4,

with Q the minimax polynomial for the relative error of exp(r) - 1 (a linear programme over 3,000
Chebyshev nodes): 1.3e-8 before its coefficients are rounded to float32.
"""

from __future__ import annotations

from rivulet.tvm_compat.vector_math.llvm import Function, Value

_LOG2_E = 1.4426950408889634
# The first part of ln 2 has 15 bits, so its product with any n is exact, also without a fused
# multiply-add (Cody and Waite, 1980).
_LN2, _LN2_REST = 0.693145751953125, 1.4286068202862268e-06
# 1 + r Q(r)
_SLOPE = (
    1.0,
    0.4999999701976776,
    0.1666654348373413,
    0.04166720062494278,
    0.008366579189896584,
    0.0013882637422717412,
)
# Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits. Unlike a
# conversion to an integer this is defined for NaN, and needs no instruction beyond SSE.
_ROUNDER = 12582912.0
_ROUNDER_BITS = 0x4B400000
_BIAS, _MANTISSA = 127, 23
# exp is infinite above the one, and rounds to zero below the other.
_INFINITE, _ZERO = 89.0, -105.0


def exp(f: Function, x: Value) -> Value:
    """exp(x), right down to the smallest denormal number."""
    return exp_scaled(f, f.at_least(f.at_most(x, _INFINITE), _ZERO))


def exp_of_negative(f: Function, x: Value) -> Value:
    """exp(x) of an x that is not above zero."""
    return exp_scaled(f, f.at_least(x, _ZERO))


def exp_scaled(f: Function, x: Value, power: int = 0) -> Value:
    """2^power exp(x) for x from -105 to 90.

    2^n takes two factors, as n goes beyond the exponents of float32 on both sides; only the second
    product rounds.
    """
    rounded, r, slope = _reduce(f, x)
    exponents = f.bits(rounded) + (2 * _BIAS + power - _ROUNDER_BITS)
    first = exponents >> 1
    second = exponents - first
    return f.fused(r, slope, 1.0) * _power_of_two(f, first) * _power_of_two(f, second)


def exp_minus_1(f: Function, x: Value) -> Value:
    """exp(x) - 1 for x from -87 to 87, to a relative error also near zero."""
    rounded, r, slope = _reduce(f, x)
    scale = _power_of_two(f, f.bits(rounded) + (_BIAS - _ROUNDER_BITS))
    return f.fused(scale, r * slope, scale - 1.0)


def _reduce(f: Function, x: Value) -> tuple[Value, Value, Value]:
    """The rounder plus n; r; and (exp(r) - 1) / r."""
    rounded = f.fused(x, _LOG2_E, _ROUNDER)
    n = rounded - _ROUNDER
    r = f.fused(n, -_LN2_REST, f.fused(n, -_LN2, x))
    return rounded, r, f.polynomial(r, _SLOPE)


def _power_of_two(f: Function, biased_exponent: Value) -> Value:
    return f.from_bits(biased_exponent << _MANTISSA)
