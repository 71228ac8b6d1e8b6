"""By which tolerance an output is judged."""

import pytest

from rivulet.config import validate_config
from rivulet.errors import UserError
from rivulet.models.precision import allowed_error, tolerance_for
from rivulet.provenance import write_record
from rivulet.provenance.behind import model_record_of
from rivulet.workflow.stages import stage_settings

BENCHMARK = validate_config({"models": {"a": {"torchvision": "resnet18"}}}).plain["benchmark"]


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
    settings, facts = stage_settings(config, stage), {"precision": precision}
    expected, _ = tolerance_for(config.plain["benchmark"], facts)
    assert allowed_error(settings[stage]["tolerance"], settings["benchmark"], facts) == expected
    assert allowed_error(9e-2, settings["benchmark"], facts) == 9e-2


def test_tolerances_that_are_the_default_are_no_setting_of_a_search():
    config = validate_config({"models": {"a": {"torchvision": "resnet18"}}})
    assert "benchmark" not in stage_settings(config, "transfer")
    assert allowed_error(1e-3, {}, {"precision": "qdq"}) == 5e-2


def test_a_models_record_is_found_by_that_of_its_kernels(tmp_path):
    for folder in ("models", "kernels"):
        (tmp_path / folder).mkdir()
    model, kernels, machine = (tmp_path / n for n in ("models/a.json", "kernels/a.json", "m.json"))
    machine.write_text("{}")
    write_record(model, "export", {}, {}, [], [])
    write_record(kernels, "kernels", {}, {}, [model, machine], [])
    assert model_record_of(kernels) == model
    write_record(kernels, "kernels", {}, {}, [machine], [])
    with pytest.raises(UserError, match="names no model"):
        model_record_of(kernels)
