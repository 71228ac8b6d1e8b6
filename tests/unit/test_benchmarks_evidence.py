"""The benchmark of the evidence: its plans and what it makes of repeated benchmarks."""

import sys

import numpy as np
import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import evidence
from comparison.stub_results import StubResults
from rivulet.benchmark.estimates import Sampling
from rivulet.config.load import validate_config
from rivulet.report.page import build_report

SAMPLING = Sampling(0.95, 200, 0)


def benchmarks(number, shift=0.0):
    """As many benchmarks of three processes; the third copy may be slower than the others."""
    generator = np.random.default_rng(4)

    def groups(factor):
        return [
            list(10 * factor * np.exp(generator.normal(level, 0.002, 8)))
            for level in generator.normal(0, 0.01, 3)
        ]

    names = (*evidence.COPIES, "onnxruntime")
    return [
        {name: groups(1 + shift * (name == "third copy")) for name in names} for _ in range(number)
    ]


def test_equal_variants_are_seldom_called_different_and_intervals_hold_the_mean():
    figures = evidence.noise_figures(benchmarks(60), SAMPLING)
    assert figures["benchmarks"] == 60
    assert figures["comparisons"] == 600
    assert figures["coverage"] > 0.9
    assert figures["false_difference"] < 0.1
    assert figures["processes"] == 3
    assert figures["methods"]["ansor"]["mean_ms"] == pytest.approx(10, rel=0.01)
    lines = evidence.noise_lines(figures)
    assert "60 benchmarks of one model, 3.0 processes each" in lines[1]
    assert len(lines) == 3 + 6 + 1


def test_a_copy_that_is_slower_is_called_different():
    figures = evidence.noise_figures(benchmarks(20, shift=0.3), SAMPLING)
    assert figures["false_difference"] > 0.3


@pytest.mark.parametrize("plan", [evidence.FULL, evidence.QUICK])
def test_the_plans_are_configurations_of_the_workflow(plan):
    config = validate_config(evidence.configuration(plan))
    assert list(config.models) == [plan.model]
    assert config.trials == (plan.trials,)


def test_the_command_line():
    assert evidence.parse([]).work.name == "evidence"
    options = evidence.parse(["--quick", "--sections", "report"])
    assert (options.work.name, options.sections) == ("evidence-quick", ["report"])


def test_stub_results_make_a_page(tmp_path):
    inputs = StubResults(tmp_path, 3, 5, ("ansor", "droplet"), 0).write()
    page = build_report(inputs)
    assert "The table holds 18 pair runs of 3 target models on local" in page
    assert '"kernels":{' in page
