"""Jobs by hand: what is asked for is checked against the config before anything is done."""

import json

import pytest

from conftest import ROOT
from rivulet import methods, paths
from rivulet.cli.commands import COMMANDS
from rivulet.config.load import validate_config
from rivulet.errors import UserError
from rivulet.stages.main import main, stage_class
from rivulet.workflow.plan import Plan
from rivulet.workflow.settings import SETTINGS

CONFIG = {
    "models": {name: {"torchvision": name} for name in ("resnet18", "alexnet")},
    "trials": [80], "hardware": {"local": {"threads": 1}},
}  # fmt: skip
STAGES = [name for name, command in COMMANDS.items() if command.is_stage]
VALUES = {
    "model": "alexnet", "hardware": "local", "trials": "80", "source": "pool", "target": "alexnet",
    "log_kind": "ansor", "own_log": "droplet", "moved": "transfer-droplet",
}  # fmt: skip


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(json.dumps(CONFIG))
    return "c.yaml"


@pytest.mark.parametrize("name", STAGES)
def test_the_path_of_a_record_tells_all_that_its_job_is_of(name):
    chosen = stage_class(name)
    stage = chosen(Plan(validate_config(CONFIG)), {key: VALUES[key] for key in chosen.keys})
    values = chosen.record_pattern().parse(stage.record)
    assert chosen(stage.plan, values).subject() == stage.subject()
    assert paths.text_log_of(stage.record) in (stage.text_log, None)


def test_every_stage_is_a_command():
    modules = {path.stem.replace("_", "-") for path in (ROOT / "src/rivulet/stages").glob("*.py")}
    shared = {"--init--", "main", "stage", "tuning", "pair", "donors", "transfer-proof"}
    assert modules - shared == set(STAGES)
    assert {stage_class(name).name for name in STAGES} == set(SETTINGS)
    assert set(methods.jobs()) <= set(STAGES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "--model", "alexnt", "--trials", "8"], "--model: there is no 'alexnt', but "),
        (["search", "--model", "alexnet", "--trials", "many"], "--trials: many is no number"),
        (["search", "--model", "alexnet"], "--trials is missing: trial count"),
        (
            ["transfer", "--source", "pool", "--target", "alexnet", "--trials", "8",
             "--log-kind", "anso"],
            "--log-kind: there is no 'anso', but ansor, droplet; did you mean 'ansor'?",
        ),
        (["search", "--record", "results/local/roofline.json"], "--record: results/local/roof"),
        (
            ["search", "--record", "results/locl/logs/ansor-8/alexnet/log.json"],
            "results/locl/logs/ansor-8/alexnet/log.json: the config has no hardware 'locl'; it has",
        ),
        (["search", "--plan", "none.json", "--record", "x"], "none.json: not readable as the plan"),
    ],
)  # fmt: skip
def test_what_is_asked_for_wrongly_has_its_line(config, arguments, said):
    more = [] if "--plan" in arguments else ["--configfile", config]
    with pytest.raises(SystemExit) as caught:
        main(arguments[0], arguments=[*arguments[1:], *more])
    assert str(caught.value).startswith(f"error: {said}")


def test_an_input_that_is_not_there_is_named_with_the_way_to_it(config, capfd):
    status = main(
        "search", arguments=["--configfile", config, "--model", "alexnet", "--trials", "8"]
    )
    assert status == 1
    told = capfd.readouterr().err
    assert "results/local/kernels/alexnet.json is not there; make it first: snakemake" in told
    assert "logs/local/logs/ansor-8/alexnet.log" in told


def test_several_kinds_of_hardware_are_told_apart(config):
    two = {**CONFIG, "hardware": {"a": {"threads": 1}, "b": {"threads": 1}}}
    (paths.Path(config)).write_text(json.dumps(two))
    with pytest.raises(SystemExit, match="--hardware: which one"):
        main("roofline", arguments=["--configfile", config])


def test_a_plan_comes_back_as_it_was_written(config):
    plan = Plan(validate_config(CONFIG))
    plan.write()
    read = Plan.read(plan.path)
    assert read.config == plan.config
    assert (read.tvm, read.planned("local")) == (plan.tvm, plan.planned("local"))
    plan.path.write_text("{}")
    with pytest.raises(UserError, match="not readable as the plan of a run"):
        Plan.read(plan.path)


def test_files_that_the_config_names_may_change_or_go_once_a_run_is_planned(config):
    paths.Path("m.onnx").write_bytes(b"onnx")
    paths.Path("values.npz").write_bytes(b"npz")
    paths.Path("ranking.csv").write_text("target,source,place\nb,c,1\nb,a,2\n")
    paths.Path("log").mkdir()
    paths.Path("log/database_tuning_record.json").write_text("")
    data = {
        **CONFIG,
        "models": {
            "a": {"onnx": "m.onnx", "inputs": "values.npz"}, "b": {"torchvision": "alexnet"},
            "c": {"torchvision": "vgg11"},
        },
        "donors": {"theirs": {"log": "log"}},
        "pairs": {"sources": 1, "ranking": "ranking.csv"},
    }  # fmt: skip
    plan = Plan(validate_config(data))
    assert plan.config.pool_of("b") == ["c"]
    plan.write()
    for name in ("m.onnx", "values.npz", "log/database_tuning_record.json"):
        paths.Path(name).unlink()
    paths.Path("ranking.csv").write_text("target,source,place\nb,a,1\nb,c,2\n")
    read = Plan.read(plan.path)
    assert read.config == plan.config
    assert read.config.pool_of("b") == ["c"]
    with pytest.raises(UserError, match=r"m\.onnx.* is no such file"):
        validate_config(data)
