"""The one table of methods: what it says, and that a new method is an entry in it."""

import pytest

from conftest import ROOT
from rivulet import methods, paths
from rivulet.config.load import validate_config
from rivulet.methods import METHODS, Method
from rivulet.provenance.code import stages_with_code
from rivulet.report.reference.stage_times import stage_times
from rivulet.workflow.matrix import makes, methods_of_pair, models_of, source_logs
from rivulet.workflow.measuring import measuring_rules
from rivulet.workflow.packages import package_manifests
from rivulet.workflow.plan import Plan
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import stage_settings

ANNEAL = Method(
    name="anneal", title="annealing", colour="#123456", folder="anneal", work="annealing",
    stage="anneal", sections=("search",),
)  # fmt: skip
GRAFT = Method(
    name="graft", title="grafting", colour="#654321", folder="graft", work="grafting",
    stage="graft", sections=("transfer",), source_logs=("droplet",), moves=True,
)  # fmt: skip


def config(**more):
    names = ("resnet18", "resnet34", "alexnet")
    models = {name: {"torchvision": name, "shape": [1, 3, 64, 64]} for name in names}
    return validate_config({"models": models, "trials": [80], **more})


@pytest.fixture
def added(monkeypatch):
    """A search of a model's own and a kind of transfer that nothing else knows of."""
    monkeypatch.setattr(methods, "METHODS", (*METHODS, ANNEAL, GRAFT))


def test_the_methods_of_a_pair():
    def names(source, log, **more):
        return [one.name for one in methods_of_pair(config(**more), source, log)]

    both = ["ansor", "droplet", "transfer", "transfer+droplet"]
    assert names("alexnet", "ansor") == both
    assert names("alexnet", "droplet") == ["ansor", "droplet", "transfer"]
    assert names("pool", "ansor") == ["ansor", "droplet", "warm", *both[2:]]
    assert names("pool", "droplet") == ["ansor", "droplet", "transfer"]
    assert names("pool", "ansor", warm_start={"share": 0}) == both
    assert names("alexnet", "ansor", droplet_study={"after_transfer": False}) == both[:-1]
    assert names("alexnet", "ansor", droplet={"trials": 0}) == both[:-1]


def test_what_is_switched_off_or_has_no_source_is_not_made():
    def made(**more):
        return [one.name for one in methods.logged() if makes(config(**more), one)]

    every = ["ansor", "droplet", "warm", "transfer", "transfer+droplet"]
    assert made() == every
    assert made(warm_start={"share": 0}) == [one for one in every if one != "warm"]
    assert made(logs=["droplet"]) == ["ansor", "droplet", "transfer"]
    assert models_of(config(pool=False), methods.method_of("warm")) == []
    assert source_logs(config(), methods.method_of("transfer")) == ["ansor", "droplet"]


def test_a_name_stands_once():
    for values in ([one.name for one in METHODS], [one.folder for one in METHODS if one.folder]):
        assert len(values) == len(set(values))
    assert methods.baselines() == ("untuned", "onnxruntime", "openvino", "torch", "torch-compile")
    assert methods.runtimes() == methods.baselines()[1:]


def test_a_new_method_is_planned_by_its_entry_alone(added):
    wanted = config()
    assert ANNEAL in methods_of_pair(wanted, "alexnet", "ansor")
    assert GRAFT in methods_of_pair(wanted, "alexnet", "droplet")
    assert GRAFT not in methods_of_pair(wanted, "alexnet", "ansor")
    histories = report_files(wanted).histories
    assert "results/local/logs/anneal-80/alexnet/trials.csv" in histories
    assert "results/local/graft/droplet-80/alexnet-to-resnet18/trials.csv" in histories
    assert "results/local/graft/ansor-80/alexnet-to-resnet18/trials.csv" not in histories
    manifests = package_manifests(wanted)
    assert "results/local/library/alexnet-anneal-80/manifest.json" in manifests
    settings = stage_settings(Plan(wanted), "anneal", hardware="local", trials=80)
    assert {"format", "search", "measure", "space", "trials"} <= set(settings)
    assert "anneal" in stages_with_code()


def test_the_paths_of_a_new_method_are_known_by_its_entry_alone(added):
    log = paths.log_of(GRAFT) / paths.TRIALS
    place = log.at(hardware="h", log_kind="droplet", trials=8, source="a", target="b")
    found = paths.parse(place)
    assert (found.method, found.log_kind, found.source) == ("graft", "droplet", "a")
    assert paths.parse("results/h/library/a-anneal-8/manifest.json").method == "anneal"


def test_the_time_of_a_new_method_is_told_by_its_entry_alone(added, tmp_path):
    log = tmp_path / "local/logs/anneal-80/a.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-01-01 00:00:00,000 INFO a\n2026-01-01 00:00:09,000 INFO b\n")
    assert [(one.stage, one.seconds) for one in stage_times(tmp_path)] == [("annealing", 9.0)]


def test_a_new_rule_that_measures_is_found_by_its_file_alone(tmp_path):
    known = measuring_rules()
    assert known["search_schedules"] == "search"
    assert known["measure_droplet_gain"] == "gain"
    assert "compile_tuned" not in known
    (tmp_path / "anneal.smk").write_text(
        "rule anneal:\n    input:\n        a,\n    resources:\n        device=1,\n    params:\n"
        '        settings=settings("anneal", "hardware"),\n\n\nrule compile_anneal:\n    params:\n'
        '        settings=settings("compile"),\n\n\nuse rule anneal as anneal_twice with:\n'
        "    input:\n        b,\n"
    )
    assert measuring_rules(tmp_path) == {"anneal": "anneal", "anneal_twice": "anneal"}
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    assert not any(rule in text.split("executor:")[1] for rule in known if rule != "library")
