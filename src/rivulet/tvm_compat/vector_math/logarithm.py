"""The natural logarithm.

x = 2^k (1 + f) with a whole k and 1 + f from sqrt(1/2) to sqrt(2), so that
log(x) = k ln 2 + log(1 + f). Over that interval

    log(1 + f) = f + f^2 Q(f),    Q of degree 7,

with Q the minimax polynomial for the relative error (a linear programme over 3,000 Chebyshev
nodes): 3.0e-8 before its coefficients are rounded to float32.
"""

from __future__ import annotations

import math

from rivulet.tvm_compat.vector_math.llvm import Function, Value

_Q = (
    -0.49999991059303284,
    0.33333951234817505,
    -0.25001761317253113,
    0.19962021708488464,
    -0.16570301353931427,
    0.1491834819316864,
    -0.14309339225292206,
    0.087360680103302,
)
_LN2, _LN2_REST = 0.693145751953125, 1.4286068202862268e-06
_SQRT_HALF_BITS = 0x3F3504F3
_MANTISSA = 23
_SMALLEST_NORMAL = 2.0**-126


def log(f: Function, x: Value) -> Value:
    """log(x); -inf of both zeros, NaN of negative numbers."""
    denormal = x < _SMALLEST_NORMAL
    bits = f.bits(f.select(denormal, x * 2.0**_MANTISSA, x))
    exponent = (bits - _SQRT_HALF_BITS) >> _MANTISSA
    fraction = f.from_bits(bits - (exponent << _MANTISSA)) - 1.0
    k = f.to_float(exponent) + f.select(denormal, -_MANTISSA, 0.0)
    correction = f.fused(fraction * fraction, f.polynomial(fraction, _Q), k * _LN2_REST)
    finite = f.fused(k, _LN2, correction + fraction)
    not_positive = f.select(x.equals(0.0), -math.inf, math.nan)
    return f.select(x > 0.0, f.select(x < math.inf, finite, math.inf), not_positive)
