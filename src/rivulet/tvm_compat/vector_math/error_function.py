"""The error function.

erf(t) = 1 - exp(-t R(t)) for t >= 0 with R(t) = -log(1 - erf(t)) / t, which is smooth down to
R(0) = 2 / sqrt(pi). From 0 to 4, where erf rounds to 1, R is a polynomial of degree 7: the minimax
one for the relative error of erf (a linear programme over 3,000 Chebyshev nodes, weighted with
t erfc(t) / erf(t)), 3.5e-8 before its coefficients are rounded to float32.
"""

from __future__ import annotations

from rivulet.tvm_compat.vector_math.exponential import exp_minus_1
from rivulet.tvm_compat.vector_math.llvm import Function, Value

_ONE = 4.0
_R = (
    1.128379225730896,
    0.6366164684295654,
    0.10281441360712051,
    -0.019321702420711517,
    0.00020567515457514673,
    0.0012517930008471012,
    -0.000381023419322446,
    4.07119732699357e-05,
)


def erf(f: Function, x: Value) -> Value:
    """erf(x), to a relative error also near zero."""
    t = f.at_most(f.magnitude(x), _ONE)
    exponent = t * f.polynomial(t, [-c for c in _R])
    return f.with_sign_of(exp_minus_1(f, exponent), x)
