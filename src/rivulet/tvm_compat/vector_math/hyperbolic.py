"""tanh, sinh and cosh; of the last two TVM compiles scalars only."""

from __future__ import annotations

from rivulet.tvm_compat.vector_math.exponential import exp_minus_1, exp_scaled
from rivulet.tvm_compat.vector_math.llvm import Function, Value

# From here on tanh rounds to 1.
_ONE = 9.02
# exp(90) / 2 is infinite.
_INFINITE = 90.0
# (sinh(x) - x) / x^3 over x^2 from 0 to 1; relative error of sinh 2.4e-8 (minimax, as for exp).
_SINH = (0.1666671633720398, 0.008330283686518669, 0.0002037219819612801)


def tanh(f: Function, x: Value) -> Value:
    """tanh(x) = m / (m + 2) with m = exp(2x) - 1, which is exact to a relative error near zero."""
    bounded = f.at_most(f.magnitude(x), _ONE)
    m = exp_minus_1(f, bounded + bounded)
    return f.with_sign_of(m / (m + 2.0), x)


def sinh(f: Function, x: Value) -> Value:
    """sinh(x) = h - 1 / 4h with h = exp(|x|) / 2, and a polynomial where that cancels."""
    magnitude = f.magnitude(x)
    half = _half_exp(f, magnitude)
    square = magnitude * magnitude
    near = f.fused(magnitude * square, f.polynomial(square, _SINH), magnitude)
    far = half - _quarter_over(f, half)
    return f.with_sign_of(f.select(magnitude < 1.0, near, far), x)


def cosh(f: Function, x: Value) -> Value:
    """cosh(x) = h + 1 / 4h with h = exp(|x|) / 2."""
    half = _half_exp(f, f.magnitude(x))
    return half + _quarter_over(f, half)


def _half_exp(f: Function, magnitude: Value) -> Value:
    return exp_scaled(f, f.at_most(magnitude, _INFINITE), power=-1)


def _quarter_over(f: Function, half: Value) -> Value:
    return f.constant(0.25) / half
