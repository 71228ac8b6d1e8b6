"""By which tolerance an output is judged."""

import pytest

from rivulet.config import validate_config
from rivulet.models.precision import allowed_error, tolerance_for
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import stage_settings

BENCHMARK = validate_config({"models": {"a": {"torchvision": "resnet18"}}}).plain["benchmark"]


def settings_of(config, stage):
    return stage_settings(Plan(config), stage, hardware="local")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (1e-3, "benchmark.tolerance")),  # a record of an earlier version
        ({"precision": "float32"}, (1e-3, "benchmark.tolerance")),
        ({"precision": "float16"}, (2e-2, "benchmark.tolerance_float16")),
        ({"precision": "qdq"}, (5e-2, "benchmark.tolerance_qdq")),
    ],
)
def test_a_models_precision_decides_which_key_judges_its_output(facts, expected):
    assert tolerance_for(BENCHMARK, facts) == expected


@pytest.mark.parametrize("precision", ["float32", "float16", "qdq"])
@pytest.mark.parametrize("stage", ["transfer", "droplet"])
def test_schedules_are_not_judged_more_strictly_than_the_benchmark_judges(precision, stage):
    tolerances = {"tolerance": 2e-3, "tolerance_qdq": 7e-2}
    config = validate_config(
        {"models": {"a": {"torchvision": "resnet18"}}, "benchmark": tolerances}
    )
    settings, facts = (
        settings_of(config, stage),
        {"precision": precision},
    )
    expected, _ = tolerance_for(config.plain["benchmark"], facts)
    assert allowed_error(settings[stage]["tolerance"], settings["benchmark"], facts) == expected
    assert allowed_error(9e-2, settings["benchmark"], facts) == 9e-2


def test_tolerances_that_are_the_default_are_no_setting_of_a_search():
    config = validate_config({"models": {"a": {"torchvision": "resnet18"}}})
    assert "benchmark" not in settings_of(config, "transfer")
    assert allowed_error(1e-3, {}, {"precision": "qdq"}) == 5e-2


def test_a_search_knows_nothing_of_the_benchmarks_tolerances():
    models = {"models": {"a": {"torchvision": "resnet18"}}}
    config = validate_config({**models, "benchmark": {"tolerance_qdq": 0.08}})
    assert settings_of(config, "transfer")["benchmark"] == {"tolerance_qdq": 0.08}
    plain = validate_config(models)
    assert settings_of(config, "search") == settings_of(plain, "search")
