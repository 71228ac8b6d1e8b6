"""A sample of ONNX's own node tests and whole models: right, or refused by name."""

import subprocess
import sys

import pytest

from conftest import ROOT
from rivulet.cli import operators
from rivulet.conformance.cases import FUNCTION_BODIES, usable_cases
from rivulet.conformance.judging import judge
from rivulet.conformance.light import light_cases
from rivulet.conformance.table import operator_table

SAMPLE = 60
# The two others, densenet121 and vgg19, take a minute each.
LIGHT = (
    "alexnet", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "zfnet512",
)  # fmt: skip


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


@pytest.mark.parametrize("name", LIGHT)
def test_a_whole_model_gives_its_reference_output(name, target):
    (case,) = (case for case in light_cases() if case.name.endswith(f"_{name}"))
    verdict = judge(case, target)
    assert (verdict.outcome, verdict.message) == ("right", "")


def test_the_page_is_not_replaced_by_a_few_rows():
    page = ROOT / "docs/operators.md"
    before = page.read_bytes()
    command = [sys.executable, "-m", "rivulet", "operators", "--only", "abs", "--write"]
    run = subprocess.run(command, text=True, capture_output=True, check=False)
    assert run.returncode == 2
    assert (
        "error: --only abs: with --write, operators.md would lose the rows of all other operators; "
        "leave one of the two out\n"
    ) in run.stderr
    assert page.read_bytes() == before


def test_a_pattern_that_is_none_is_said(capsys):
    with pytest.raises(SystemExit):
        operators.main(["--only", "["])
    assert "argument --only: '[' is no regular expression: unterminated" in capsys.readouterr().err
