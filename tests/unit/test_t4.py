"""Measurements in the T4 results format, against the schema that Kernel Tuner ships."""

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from rivulet.log_tools.cli import main
from rivulet.log_tools.t4 import invalidity, t4_results
from rivulet.records.stored import read_log
from unit.test_records_merge import make_log, record_line, trial


@pytest.fixture(scope="module")
def schema():
    package = importlib.util.find_spec("kernel_tuner")
    path = Path(package.origin).parent / "schema/T4/1.0.0/results-schema.json"
    return json.loads(path.read_text())


@pytest.fixture
def log(tmp_path):
    return make_log(
        tmp_path / "log",
        ["wa"],
        [record_line(0, "t1", 5)],
        [trial(1, "a", "c1", 5, 5), trial(2, "a", "c2", 0, 5, error="run timeout: 10 s")],
        model="small",
    )


def test_it_is_valid_and_holds_every_measurement(log, schema):
    document = t4_results([read_log(log)], with_decisions=False)
    jsonschema.validate(document, schema)
    good, failed = document["results"]
    assert good["configuration"] == {
        "model": "small", "hardware": "local", "kernel": "a", "candidate": "c1",
        "strategy": "evolutionary",
    }  # fmt: skip
    assert good["measurements"][0] == {"name": "time", "value": 0.005, "unit": "ms"}
    assert good["times"] == {
        "compilation_time": 200.0, "runtimes": [0.005], "framework": 299.995,
        "search_algorithm": 100.0, "validation": 0.0,
    }  # fmt: skip
    assert (good["invalidity"], good["correctness"]) == ("correct", 1)
    assert (failed["invalidity"], failed["correctness"]) == ("timeout", 0)
    assert failed["times"]["runtimes"] == []


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("", "correct"),
        ("build error: no kernel", "compile"),
        ("build timeout: 60 s", "timeout"),
        ("run crash: SIGSEGV", "runtime"),
        ("run out of memory: 4 GiB", "runtime"),
        ("run timeout: 10 s", "timeout"),
        ("output differs by 1e-1", "correctness"),
    ],
)
def test_each_failure_has_its_word(error, word):
    assert invalidity(error) == word


def test_the_command_writes_one_file_of_several_logs(log, tmp_path, schema, capsys):
    out = tmp_path / "all.json"
    assert main(["export", str(out), str(log), str(log), "--without-decisions"]) == 0
    assert capsys.readouterr().out == f"{out}: 4 measurements of 2 log(s)\n"
    document = json.loads(out.read_text())
    jsonschema.validate(document, schema)
    assert len(document["results"]) == 4


def test_a_missing_log_is_told(tmp_path, capsys):
    assert main(["export", str(tmp_path / "x.json"), str(tmp_path / "none")]) == 2
    assert "not there; name the folder of a log" in capsys.readouterr().err
