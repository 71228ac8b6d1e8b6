"""Interval arithmetic never leaves out a value that the operation has."""

import itertools
import math
import operator

import pytest

from rivulet.tvm_compat import intervals as iv
from rivulet.tvm_compat.intervals import Interval

SPANS = [Interval(*pair) for pair in ((-3, -1), (-2, 2), (0, 3), (1, 4), (2, 2), (-3, 0))]
OPERATIONS = [
    (iv.add, operator.add), (iv.subtract, operator.sub), (iv.multiply, operator.mul),
    (iv.divide, operator.truediv), (iv.floor_divide, operator.floordiv),
    (iv.floor_modulo, operator.mod), (iv.smaller, min), (iv.larger, max), (iv.less, operator.lt),
    (iv.less_or_equal, operator.le), (iv.equal, operator.eq),
]  # fmt: skip


def whole_numbers(span):
    return range(int(span.low), int(span.high) + 1)


@pytest.mark.parametrize(("on_intervals", "on_numbers"), OPERATIONS)
def test_every_result_lies_within_the_interval(on_intervals, on_numbers):
    for a, b in itertools.product(SPANS, SPANS):
        found = on_intervals(a, b)
        for x, y in itertools.product(whole_numbers(a), whole_numbers(b)):
            if y == 0 and on_numbers in (operator.truediv, operator.floordiv, operator.mod):
                continue
            assert found.low - 1e-12 <= on_numbers(x, y) <= found.high + 1e-12


def test_bounds_are_reached():
    assert iv.multiply(Interval(-2, 3), Interval(-5, 1)) == Interval(-15, 10)
    assert iv.floor_divide(Interval(0, 27), iv.point(7)) == Interval(0, 3)
    assert iv.floor_modulo(Interval(0, 27), iv.point(7)) == Interval(0, 6)
    assert iv.floor_modulo(Interval(15, 17), iv.point(7)) == Interval(1, 3)


def test_a_square_is_not_negative():
    assert iv.square(Interval(-3, 2)) == Interval(0, 9)
    assert iv.square(Interval(-3, -2)) == Interval(4, 9)
    assert iv.square(iv.ANYTHING) == Interval(0, math.inf)


def test_a_comparison_is_told_only_where_it_is_certain():
    assert iv.less(Interval(0, 3), Interval(4, 5)) == iv.TRUE
    assert iv.less(Interval(0, 3), Interval(0, 0)) == iv.FALSE
    assert iv.less(Interval(0, 3), Interval(2, 5)) == iv.EITHER
    assert iv.negation(iv.EITHER) == iv.EITHER


def test_sums_of_several_numbers_reach_from_one_to_all_of_them():
    assert iv.repeated_sum(Interval(0.5, 1.5), 4) == Interval(0.5, 6)
    assert iv.repeated_sum(Interval(-1, 1), 4) == Interval(-4, 4)


def test_a_quotient_by_what_may_be_zero_is_anything():
    assert iv.divide(iv.TRUE, Interval(-1, 1)) == iv.ANYTHING


def test_zero_times_infinity_is_zero():
    assert iv.multiply(iv.FALSE, iv.ANYTHING) == iv.FALSE


def test_a_function_is_asked_within_its_domain_only():
    root = iv.rising(math.sqrt, 0, math.inf)
    assert root(Interval(-4, 4)) == Interval(0, 2)
    assert root(Interval(-4, -1)) == Interval(0, 0)
