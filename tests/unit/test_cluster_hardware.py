"""Hardware that is a cluster's nodes: its config, its plan, its description, its profile."""

import json
import re
from dataclasses import replace

import pytest
import yte

from conftest import ROOT
from rivulet import paths
from rivulet.config.load import ConfigError, validate_config
from rivulet.errors import UserError
from rivulet.hardware import Device, fingerprint
from rivulet.hardware.fingerprint import describe
from rivulet.jobs import machine as machine_module
from rivulet.jobs.machine import (
    FINGERPRINT_OF_NODE,
    describe_node,
    fingerprint_on_node,
    read_machine,
)
from rivulet.provenance import read_record, write_record
from rivulet.stages import main as main_module
from rivulet.stages.main import main
from rivulet.stages.stage import Stage
from rivulet.tvm_compat import installed_version
from rivulet.workflow import plan as plan_module
from rivulet.workflow.choices import device_of
from rivulet.workflow.plan import Plan
from rivulet.workflow.planning import expected_settings, load_workflow_config
from rivulet.workflow.settings import stage_settings

MODELS = {"models": {"alexnet": {"torchvision": "alexnet"}}}
DEVICE = Device("zen4", "auto", 1)
PLANNED = {
    "device": DEVICE.to_json(),
    "fingerprint": FINGERPRINT_OF_NODE,
    "tvm": installed_version(),
}


class Told(Stage):
    """A job that tells for which machine it works."""

    name, about, keys, made = "compile", "About.", ("hardware",), paths.MACHINE

    def work(self, job):
        job.tell(f"works with {self.settings.fingerprint}")


def config_of(**hardware):
    return validate_config({**MODELS, "hardware": hardware})


def write_machine(folder, **changes):
    path = folder / "zen4/machine.json"
    facts = {**describe_node(DEVICE), **changes}
    write_record(path, "machine", {"hardware": "zen4"}, PLANNED, inputs=[], outputs=[], facts=facts)
    return path


def test_threads_of_a_cluster_s_node_must_be_a_number():
    with pytest.raises(ConfigError) as caught:
        config_of(zen4={"at": "cluster"})
    assert str(caught.value) == (
        "config: hardware.zen4.threads: 'auto' cannot be known here for a cluster's nodes (at: "
        "cluster); allowed: an integer from 1 to 1024, such as the physical cores of such a node"
    )
    with pytest.raises(ConfigError, match=r"hardware.zen4.at: 'there' is not a choice; allowed: "):
        config_of(zen4={"at": "there", "threads": 4})


def test_a_node_may_have_more_cores_than_the_machine_that_plans():
    config = config_of(zen4={"at": "cluster", "threads": 1024}, local={"threads": 1})
    assert device_of(config, "zen4") == Device("zen4", "auto", 1024)
    with pytest.raises(UserError, match=r"hardware.local.threads: 1024 threads asked for"):
        device_of(config_of(local={"threads": 1024}), "local")


def test_the_plan_for_a_cluster_has_nothing_of_the_machine_that_plans(monkeypatch):
    def forbidden(device):
        raise AssertionError(device)

    monkeypatch.setattr(plan_module, "fingerprint", forbidden)
    config = config_of(zen4={"at": "cluster", "threads": 1024}, local={"threads": 1})
    for stage in ("machine", "kernels", "search", "benchmark"):
        settings = stage_settings(Plan(config), stage, hardware="zen4", trials=5)
        assert settings["fingerprint"] == FINGERPRINT_OF_NODE
    with pytest.raises(AssertionError):
        stage_settings(Plan(config), "kernels", hardware="local")


def test_a_job_on_a_node_does_not_mind_hardware_that_is_elsewhere():
    data = {**MODELS, "hardware": {"local": {"threads": 1024}, "zen4": {"threads": 1}}}
    assert "local" in load_workflow_config(data, [], plans=False).hardware
    with pytest.raises(SystemExit):
        load_workflow_config(data, [])


def test_a_job_gets_the_fingerprint_of_the_machine_that_it_is_for(tmp_path):
    path = write_machine(tmp_path)
    found = fingerprint_on_node(DEVICE, path)
    assert found == fingerprint(DEVICE)
    stage = Told(Plan(config_of(zen4={"at": "cluster", "threads": 1})), {"hardware": "zen4"})
    stage.settings = replace(stage.settings, fingerprint=found)
    assert stage.device == DEVICE


def test_a_job_on_another_machine_says_what_differs(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "n017")
    path = write_machine(tmp_path, cpu="Another CPU", fingerprint="0123456789ab", host="n203")
    with pytest.raises(UserError) as caught:
        fingerprint_on_node(DEVICE, path)
    text = str(caught.value)
    assert "\n" not in text
    assert re.match(
        r"hardware 'zen4': node n017 has the CPU .+ \(fingerprint [0-9a-f]{12}\), but the name "
        r"stands for Another CPU \(fingerprint 0123456789ab, seen on node n203, .*/zen4/machine"
        r"\.json\); they differ in cpu; nothing was measured; ", text,
    )  # fmt: skip
    assert "profiles/slurm/config.yaml" in text
    assert fingerprint_on_node(DEVICE, path, compare=False) == "0123456789ab"


@pytest.mark.parametrize("anywhere", [False, True])
def test_a_job_compares_before_it_works(tmp_path, monkeypatch, capfd, anywhere):
    monkeypatch.chdir(tmp_path)
    write_machine(tmp_path / "results", features=["avx"], fingerprint="0123456789ab")
    Plan(config_of(zen4={"at": "cluster", "threads": 1})).write()
    monkeypatch.setattr(Told, "anywhere", anywhere)
    monkeypatch.setattr(main_module, "stage_class", lambda name: Told)
    (plan,) = (tmp_path / "logs").glob("plan-*.json")
    status = main("told", arguments=["--plan", str(plan), "--hardware", "zen4"])
    text = capfd.readouterr().err
    assert status == (0 if anywhere else 1)
    assert ("they differ in features" in text) != anywhere
    assert ("works with 0123456789ab" in text) == anywhere


def test_a_description_tells_all_that_the_fingerprint_is_of(tmp_path):
    facts = read_machine(write_machine(tmp_path))
    described = describe(DEVICE)
    assert {key: facts[key] for key in described} == json.loads(json.dumps(described))
    assert facts["tvm"] == installed_version()
    assert facts["host"]


def test_a_job_with_fewer_cpus_than_threads_describes_nothing(monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "n017")
    monkeypatch.setattr(machine_module, "usable_cpus", lambda: 2)
    with pytest.raises(UserError, match=r"hardware.zen4.threads: 3 .* node n017 may use 2 CPU"):
        describe_node(Device("zen4", "auto", 3))


def test_a_damaged_description_has_its_line(tmp_path):
    path = tmp_path / "machine.json"
    write_record(path, "machine", {}, {}, inputs=[], outputs=[], facts={})
    with pytest.raises(UserError, match=r"machine.json: the machine's fingerprint is missing"):
        read_machine(path)
    path.write_text("{")
    with pytest.raises(UserError, match=r"machine.json: not readable as the record"):
        fingerprint_on_node(DEVICE, path)


def test_records_are_expected_to_have_the_fingerprint_of_the_machine_s_description(tmp_path):
    config = config_of(zen4={"at": "cluster", "threads": 1})
    subject = {"hardware": "zen4", "model": "alexnet"}
    kernels = tmp_path / "zen4/kernels/alexnet.json"
    write_record(kernels, "kernels", subject, {}, inputs=[], outputs=[])
    wanted = expected_settings(Plan(config), read_record(kernels), tmp_path)
    assert wanted["fingerprint"] == FINGERPRINT_OF_NODE
    path = write_machine(tmp_path, fingerprint="0123456789ab")
    wanted = expected_settings(Plan(config), read_record(kernels), tmp_path)
    assert wanted["fingerprint"] == "0123456789ab"
    # The description itself is as it was planned, whatever it found.
    wanted = expected_settings(Plan(config), read_record(path), tmp_path)
    assert wanted["fingerprint"] == FINGERPRINT_OF_NODE


class Wildcards(dict):
    """Snakemake's wildcards have `get`, too."""


def resource(profile, rule, name, **wildcards):
    """Value of a resource, as Snakemake makes it of the profile's text."""
    value = profile["set-resources"].get(rule, {}).get(name, profile["default-resources"].get(name))
    if not isinstance(value, str):
        return value
    return eval(value, {"wildcards": Wildcards(wildcards)})


def test_the_profile_sends_each_hardware_to_its_nodes():
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    begin, end = text.index("    zen4:\n"), text.index("  # Jobs that belong to no hardware")
    table = "".join(
        f"    {name}: {{partition: {partition}, constraint: {name}{more}}}\n"
        for name, partition, more in (("zen4", "cpu", ""), ("icx", "old", ", measuring: ''"))
    )
    profile = yte.process_yaml(text[:begin] + table + text[end:], require_use_yte=True)
    for name, partition, extra in (("zen4", "cpu", "--exclusive"), ("icx", "old", "")):
        of = {"hardware": name, "model": "alexnet"}
        assert resource(profile, "search_schedules", "slurm_partition", **of) == partition
        assert resource(profile, "compile_tuned", "constraint", **of) == name
        assert resource(profile, "benchmark_pair", "slurm_extra", **of) == extra
        assert resource(profile, "compile_tuned", "slurm_extra", **of) is None
    assert resource(profile, "export_model", "slurm_partition", model="alexnet") is None
    assert resource(profile, "search_schedules", "runtime") == 1440
    assert resource(profile, "compile_tuned", "runtime") == 60


def test_the_profile_gives_every_measuring_rule_a_node():
    profile = yte.process_yaml(
        (ROOT / "profiles/slurm/config.yaml").read_text(), require_use_yte=True
    )
    text = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    measuring = {
        block.split(":")[0].removeprefix("rule ")
        for block in re.split(r"(?m)^(?=rule )", text)
        if "        device=1," in block
    }
    inherited = re.findall(r"(?m)^use rule (\w+) as (\w+) with:", text)
    measuring |= {heir for base, heir in inherited if base in measuring}
    assert measuring == set(profile["set-resources"])
    for rule in measuring:
        assert resource(profile, rule, "slurm_extra", hardware="zen4") == "--exclusive"
        assert resource(profile, rule, "mem_mb") == 16000


def test_every_rule_of_a_hardware_is_given_its_machine():
    for path in (ROOT / "rules").glob("*.smk"):
        for block in re.split(r"(?m)^(?=rule |use rule )", path.read_text()):
            if re.search(r'settings\("(?!machine)[\w-]+", "hardware"', block):
                assert "MACHINE_FILE_OF," in block, block.splitlines()[0]
