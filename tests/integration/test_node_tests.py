"""A sample of ONNX's own node tests: right, or refused by name."""

import pytest

from rivulet.conformance.cases import FUNCTION_BODIES, usable_cases
from rivulet.conformance.judging import judge
from rivulet.conformance.table import operator_table

SAMPLE = 60


def cases_of_different_operators():
    first = {}
    for case in usable_cases():
        if case.operator != FUNCTION_BODIES:
            first.setdefault(case.operator, case)
    chosen = sorted(first.values(), key=lambda case: case.operator)
    step = len(chosen) / SAMPLE
    return [chosen[int(place * step)] for place in range(SAMPLE)]


@pytest.fixture(scope="module")
def verdicts(target):
    return [judge(case, target) for case in cases_of_different_operators()]


def test_node_tests_are_right_or_refused_by_name(verdicts):
    assert [v for v in verdicts if v.outcome not in ("right", "refused")] == []


def test_most_node_tests_are_right(verdicts):
    assert sum(verdict.outcome == "right" for verdict in verdicts) >= 0.75 * SAMPLE


def test_the_table_has_a_line_for_each_operator(verdicts):
    table = operator_table(verdicts, "onnx 1")
    assert all(f"| {verdict.operator} | " in table for verdict in verdicts)
