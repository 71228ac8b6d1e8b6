"""The configuration: what is accepted, how each mistake is reported, and the generated files."""

import importlib.util
import json
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from pydantic import ValidationError

from rivulet.config import (
    Config,
    ConfigError,
    check_duplicate_keys,
    docs,
    load_config,
    torchvision_names,
    validate_config,
)
from rivulet.config import sources as config_sources
from rivulet.errors import UserError
from rivulet.workflow.planning import load_workflow_config

ROOT = Path(__file__).resolve().parents[2]
A = "models: {a: {torchvision: resnet18}}\n"
AB = "models: {a: {torchvision: resnet18}, b: {torchvision: resnet50}}\n"
KNOWN = ("alexnet", "googlenet", "resnet34", "resnet18", "resnet50", "squeezenet1_1")


@pytest.fixture(autouse=True)
def known_models(monkeypatch):
    """Make the checks of names the same wherever, and whether, torchvision is installed."""
    monkeypatch.setattr(config_sources, "classification_models", lambda: KNOWN)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").write_bytes(b"onnx")
    (tmp_path / "dir.onnx").mkdir()
    return tmp_path


def data(text: str) -> dict:
    return yaml.safe_load(text)


def message(text: str, folder: Path) -> str:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("x.yaml")
    return str(caught.value)


TOP = (
    "models, hardware, trials, logs, pairs, pool, donors, search, measure, droplet, transfer, "
    "warm_start, benchmark, droplet_study"
)
SEARCH = (
    "seed, batch_size, population, generations, mutation_probability, random_share, cost_model, "
    "scheduler_alpha, scheduler_window"
)
ENTRIES = "a mapping from names to definitions, with at least one entry"
NAMES = (
    "1 to 64 of A-Z a-z 0-9 _ . and single '-' inside, the first a letter or digit; "
    "no '..', no '-to-', no 'to-' at the start, no '-to' at the end"
)
ONNX_SHAPE = (
    "a mapping from inputs to lists of integers of at least 1, such as {input: [1, 3, 224, 224]}, "
    "or such a list where there is one input"
)
INPUTS = (
    "a mapping from inputs to ranges, such as {ids: [0, 30522]}, or an existing .npz file, "
    "relative to the working directory"
)
DEFINITION = "a mapping with exactly one of 'torchvision' (a name) and 'onnx' (a file)"
SHAPE = "a list of 4 integers of at least 1 (N, C, H, W)"
ONNX = "an existing ONNX file, relative to the working directory"
TARGET = (
    'auto, cuda, or a mapping such as {kind: llvm, mcpu: skylake, mattr: ["-avx512f"]} '
    "or {kind: cuda, arch: sm_90}"
)
TRIALS = "an integer from 1 to 1000000, or a list of such integers without duplicates"
LOGS = "a list with one or more of ansor, droplet, without duplicates"
PAIRS = (
    "all, a list of [source, target] pairs of model names, or a mapping such as "
    "{sources: 5, within: families}"
)

BOARD = (
    "models: {{a: {{torchvision: resnet18}}}}\n"
    "hardware: {{x: {{runner: rpc, target: {}, threads: {}, "
    "rpc: {{tracker: '{}', key: {}}}}}}}\n"
)
NOT_THERE = (
    "describes this machine, and not a device over RPC; allowed: a mapping such as "
    "{kind: llvm, mtriple: aarch64-linux-gnu, mcpu: cortex-a72}"
)
MALFORMED = [
    # The file as a whole.
    ("", "is empty; allowed: a mapping with the key 'models'"),
    ("- a\n", "['a'] is not a mapping; allowed: a mapping with the key 'models'"),
    (
        "models: {a: [}\n",
        "line 1, column 14: not valid YAML: expected the node content, but found '}'; "
        "mend the file's syntax",
    ),
    (
        "models:\n\ta: 1\n",
        "line 2, column 1: not valid YAML: found character '\\t' that cannot start any token; "
        "mend the file's syntax",
    ),
    (
        A + "---\ntrials: 1\n",
        "line 2, column 1: not valid YAML: but found another document; mend the file's syntax",
    ),
    (
        "models: !!python/name:os.system\n",
        "line 1, column 9: not valid YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/name:os.system'; mend the file's syntax",
    ),
    (
        "models: {[a]: 1}\n",
        "line 1, column 10: not valid YAML: found unhashable key; mend the file's syntax",
    ),
    (
        A + "trials: 2024-13-45\n",
        "not valid YAML: month must be in 1..12; mend the file's syntax",
    ),
    (
        A + "search:\n  seed: 1\n  batch_size: 2\n  seed: 1\n",
        "search.seed: key 'seed' in line 5 is a duplicate of line 3; keep one of the two",
    ),
    (
        A + A,
        "models: key 'models' in line 2 is a duplicate of line 1; keep one of the two",
    ),
    # Keys.
    ("trials: [5]\n", f"models: required key is missing; allowed: {ENTRIES}"),
    (A + "trails: 5\n", f"trails: unknown key; allowed here: {TOP}; did you mean 'trials'?"),
    (
        A + "search: {batchsize: 8}\n",
        f"search.batchsize: unknown key; allowed here: {SEARCH}; did you mean 'batch_size'?",
    ),
    (A + '"a\\nb": 1\n', f"'a\\nb': unknown key; allowed here: {TOP}"),
    (A + "search: {'[key]': 8}\n", f"search.'[key]': unknown key; allowed here: {SEARCH}"),
    (A + "1: 2\n", "top level: key 1 is not text; put it in quotes if it is meant"),
    (
        "models: {yes: {torchvision: resnet18}}\n",
        "models: key True is not text; put it in quotes if it is meant",
    ),
    (A + "search:\n", f"search: None is not a mapping; allowed: a mapping with the keys {SEARCH}"),
    # Models.
    ("models: {}\n", f"models: {{}} is empty; allowed: {ENTRIES}"),
    ("models: [resnet18]\n", f"models: ['resnet18'] is not a mapping; allowed: {ENTRIES}"),
    ("models: {a: resnet18}\n", f"models.a: 'resnet18' is no definition; allowed: {DEFINITION}"),
    ("models: {a: {seed: 1}}\n", f"models.a: {{'seed': 1}} names no model; allowed: {DEFINITION}"),
    (
        "models: {a: {torchvison: resnet18}}\n",
        f"models.a: {{'torchvison': 'resnet18'}} names no model; allowed: {DEFINITION}; "
        "did you mean 'torchvision'?",
    ),
    (
        "models: {a: {torchvision: resnet18, onnx: m.onnx}}\n",
        "models.a: {'onnx': 'm.onnx', 'torchvision': 'resnet18'} names two models; "
        f"allowed: {DEFINITION}",
    ),
    (
        "models: {a: {torchvision: resnet5}}\n",
        "models.a.torchvision: 'resnet5' is no torchvision classification model; "
        "did you mean 'resnet50'?",
    ),
    (
        "models: {a: {torchvision: zzz}}\n",
        "models.a.torchvision: 'zzz' is no torchvision classification model; "
        "allowed: one of the 6 that torchvision.models registers",
    ),
    (
        "models: {a: {torchvision: 18}}\n",
        "models.a.torchvision: 18 is not text; allowed: a torchvision classification model",
    ),
    (
        "models: {a: {torchvision: resnet18, shape: [3, 224, 224]}}\n",
        f"models.a.shape: [3, 224, 224] is no shape; allowed: {SHAPE}",
    ),
    (
        "models: {a: {torchvision: resnet18, shape: [1, 3, 0, 224]}}\n",
        f"models.a.shape[2]: 0 is no size; allowed: {SHAPE}",
    ),
    (
        "models: {a: {torchvision: resnet18, weights: default}}\n",
        "models.a.weights: 'default' is not a choice; allowed: random or DEFAULT; "
        "did you mean 'DEFAULT'?",
    ),
    (
        "models: {a: {torchvision: resnet18, seed: -1}}\n",
        "models.a.seed: -1 is out of range; allowed: an integer from 0 to 2147483647",
    ),
    (
        "models: {a: {torchvision: resnet18, sead: 1}}\n",
        "models.a.sead: unknown key; allowed here: torchvision, shape, weights, seed, "
        "family; did you mean 'seed'?",
    ),
    (
        "models: {a: {onnx: m.onnx, weights: random}}\n",
        "models.a.weights: 'random' is for torchvision models only; allowed here: onnx, shape, "
        "inputs, family",
    ),
    (
        "models: {a: {onnx: m.onnx, shape: 3}}\n",
        f"models.a.shape: 3 is no shape; allowed: {ONNX_SHAPE}",
    ),
    (
        "models: {a: {onnx: m.onnx, shape: {x: [1, 0]}}}\n",
        f"models.a.shape.x[1]: 0 is no size; allowed: {ONNX_SHAPE}",
    ),
    (
        "models: {a: {onnx: m.onnx, shape: {x: 2}}}\n",
        f"models.a.shape.x: 2 is no shape; allowed: {ONNX_SHAPE}",
    ),
    (
        "models: {a: {onnx: m.onnx, inputs: {ids: [5, 5]}}}\n",
        "models.a.inputs.ids: [5, 5] is empty: values lie from the first number to below the "
        f"second; allowed: {INPUTS}",
    ),
    (
        "models: {a: {onnx: m.onnx, inputs: {x: [a, 1]}}}\n",
        f"models.a.inputs.x: ['a', 1] is no range; allowed: {INPUTS}",
    ),
    (
        "models: {a: {onnx: m.onnx, inputs: x.npz}}\n",
        f"models.a.inputs: 'x.npz' is no such file; allowed: {INPUTS}",
    ),
    (
        "models: {a: {onnx: m.onnx, inputs: m.onnx}}\n",
        f"models.a.inputs: 'm.onnx' is no .npz file; allowed: {INPUTS}",
    ),
    (
        "models: {a: {onnx: m.onnx, inputs: []}}\n",
        f"models.a.inputs: [] tells no values; allowed: {INPUTS}",
    ),
    (
        "models: {a: {onnx: n.onnx}}\n",
        f"models.a.onnx: 'n.onnx' is no such file; allowed: {ONNX}",
    ),
    (
        "models: {a: {onnx: dir.onnx}}\n",
        f"models.a.onnx: 'dir.onnx' is a directory; allowed: {ONNX}",
    ),
    (
        "models: {a/b: {torchvision: resnet18}}\n",
        f"models: 'a/b' is no usable name; allowed: {NAMES}",
    ),
    (
        "models: {a-to-b: {torchvision: resnet18}}\n",
        f"models: 'a-to-b' is no usable name; allowed: {NAMES}",
    ),
    (
        "models: {pool: {torchvision: resnet18}}\n",
        "models: 'pool' is reserved for the pool of all source models; choose another name",
    ),
    (
        "models: {a: {torchvision: resnet18}, A: {torchvision: resnet50}}\n",
        "models: 'A' differs only by case from 'a'; give one another name",
    ),
    (
        "models: {a: {torchvision: resnet18}, b: {torchvision: resnet18, seed: 0}}\n",
        "models: 'b' has the same definition as 'a'; "
        "give one of them another seed, shape or weights",
    ),
    (
        "models: {a: {onnx: m.onnx}, b: {onnx: ./m.onnx}}\n",
        "models: 'b' has the same definition as 'a'; remove one of them, or give it another file "
        "or shape",
    ),
    # Hardware.
    (A + "hardware: {}\n", f"hardware: {{}} is empty; allowed: {ENTRIES}"),
    (
        A + "hardware: {local: }\n",
        "hardware.local: None is not a mapping; "
        "allowed: a mapping with the keys target, threads, at, runner, rpc, space",
    ),
    (
        A + "hardware: {reference: {}}\n",
        "hardware: 'reference' is reserved for a folder of results/; choose another name",
    ),
    (
        A + "hardware: {x: {target: llvm -mcpu=skylake}}\n",
        f"hardware.x.target: 'llvm -mcpu=skylake' is no target; allowed: {TARGET}",
    ),
    (
        A + "hardware: {x: {target: {mcpu: skylake}}}\n",
        f"hardware.x.target: {{'mcpu': 'skylake'}} has no 'kind'; allowed: {TARGET}",
    ),
    (
        A + "hardware: {x: {target: {kind: cuda}}}\n",
        "hardware.x.target: {'kind': 'cuda'} has no 'arch' such as sm_90, nor a 'tag' such as "
        "nvidia/nvidia-a100",
    ),
    (
        A + "hardware: {x: {target: {kind: opencl}}}\n",
        "hardware.x.target.kind: 'opencl' is no supported kind of target; allowed: llvm, cuda",
    ),
    (
        A + "hardware: {x: {target: {kind: llvm, mattr: [1]}}}\n",
        "hardware.x.target.mattr: [1] is no attribute value; "
        "allowed: text, a finite number, true or false, or a list of texts",
    ),
    (
        A + "hardware: {x: {threads: 0}}\n",
        "hardware.x.threads: 0 is not valid; allowed: auto, or an integer from 1 to 1024",
    ),
    (
        A + "hardware: {x: {threads: true}}\n",
        "hardware.x.threads: True is not valid; allowed: auto, or an integer from 1 to 1024",
    ),
    (
        A + "hardware: {x: {threads: '16'}}\n",
        "hardware.x.threads: '16' is not valid; allowed: auto, or an integer from 1 to 1024; "
        "did you mean 16?",
    ),
    (
        A + "hardware: {x: {runner: ssh}}\n",
        "hardware.x.runner: 'ssh' is not a choice; allowed: local or rpc",
    ),
    (
        A + "hardware: {x: {rpc: {tracker: 'a:1', key: k}}}\n",
        "hardware.x.rpc: is for 'runner: rpc' only; set the runner, or remove this",
    ),
    (
        A + "hardware: {x: {runner: rpc, target: {kind: llvm}, threads: 4}}\n",
        "hardware.x.rpc: is missing; with 'runner: rpc', tracker and key have to be given",
    ),
    (BOARD.format("auto", 4, "a:1", "k"), f"hardware.x.target: 'auto' {NOT_THERE}"),
    (
        BOARD.format("{kind: llvm}", "auto", "a:1", "k"),
        "hardware.x.threads: 'auto' counts this machine's cores, and not a device's; allowed: "
        "an integer",
    ),
    (
        BOARD.format("{kind: llvm}", 4, "nine", "k"),
        "hardware.x.rpc.tracker: 'nine' is no address; allowed: HOST:PORT, such as "
        "192.168.1.10:9190",
    ),
    (
        BOARD.format("{kind: llvm}", 4, "a:1", "k l"),
        "hardware.x.rpc.key: 'k l' is no key; allowed: 1 to 64 of A-Z a-z 0-9 _ . -",
    ),
    (
        BOARD.format("{kind: llvm}", 4, "a:1", "k, session_timeout_s: 9"),
        "hardware.x.rpc.session_timeout_s: 9 s end a session while a candidate is measured "
        "(measure.run_timeout_s); allowed with it: at least 20",
    ),
    (
        BOARD.format("{kind: llvm}", 4, "a:1", "k, port: 9"),
        "hardware.x.rpc.port: unknown key; allowed here: tracker, key, devices, "
        "session_timeout_s, connect_timeout_s, retries, compiler",
    ),
    # Trials, logs and pairs.
    (A + "trials: []\n", f"trials: [] is an empty list; allowed: {TRIALS}"),
    (A + "trials: 0\n", f"trials: 0 is out of range; allowed: {TRIALS}"),
    (A + "trials: [5, '6']\n", f"trials[1]: '6' is not an integer; allowed: {TRIALS}"),
    (A + "trials: [true]\n", f"trials[0]: True is not an integer; allowed: {TRIALS}"),
    (A + "trials: [5, 6, 5]\n", f"trials[2]: 5 is a duplicate; allowed: {TRIALS}"),
    (A + "logs: ansor\n", f"logs: 'ansor' is not a list; allowed: {LOGS}"),
    (A + "logs: []\n", f"logs: [] is an empty list; allowed: {LOGS}"),
    (
        A + "logs: [anser]\n",
        f"logs[0]: 'anser' is no log; allowed: {LOGS}; did you mean 'ansor'?",
    ),
    (A + "logs: [ansor, ansor]\n", f"logs[1]: 'ansor' is a duplicate; allowed: {LOGS}"),
    (AB + "pairs: none\n", f"pairs: 'none' is no choice of pairs; allowed: {PAIRS}"),
    (AB + "pairs: [[a]]\n", f"pairs[0]: ['a'] is not a pair of names; allowed: {PAIRS}"),
    (
        AB + "pairs: [[a, a]]\n",
        "pairs[0]: ['a', 'a'] has twice the same model; allowed: two different models",
    ),
    (
        AB + "pairs: [[a, B]]\n",
        "pairs[0][1]: 'B' is no model; allowed: a, b; did you mean 'b'?",
    ),
    (
        AB + "pairs: [[a, b], [b, a], [a, b]]\n",
        "pairs[2]: ['a', 'b'] is a duplicate; allowed: each pair once",
    ),
    # Numbers and choices of the sections.
    (
        A + "search: {batch_size: true}\n",
        "search.batch_size: True is not an integer; allowed: an integer from 1 to 512",
    ),
    (
        A + "search: {batch_size: '16'}\n",
        "search.batch_size: '16' is text, not a number; allowed: an integer from 1 to 512; "
        "did you mean 16?",
    ),
    (
        A + "search: {batch_size: 8.5}\n",
        "search.batch_size: 8.5 is not an integer; allowed: an integer from 1 to 512",
    ),
    (
        A + "search: {cost_model: xgboost}\n",
        "search.cost_model: 'xgboost' is not a choice; allowed: xgb or random; did you mean 'xgb'?",
    ),
    (
        A + "search: {random_share: .nan}\n",
        "search.random_share: nan is not a finite number; allowed: a number from 0 to 1",
    ),
    (
        A + "measure: {run_timeout_s: 0}\n",
        "measure.run_timeout_s: 0 is out of range; allowed: a number above 0 and up to 3600",
    ),
    (
        A + "measure: {early_stop_ratio: 0.5}\n",
        "measure.early_stop_ratio: 0.5 is out of range; allowed: 0, or a number of at least 1",
    ),
    (
        A + "measure: {cache_flush: 1}\n",
        "measure.cache_flush: 1 is neither true nor false; allowed: true or false",
    ),
    (
        A + "measure: {build_workers: many}\n",
        "measure.build_workers: 'many' is not valid; allowed: auto, or an integer from 1 to 256",
    ),
    (
        A + "droplet: {confirm_repeats: 2, significance: 0.01}\n",
        "droplet.confirm_repeats: 2 samples can never show a difference at significance 0.01; "
        "allowed with it: an integer from 3 to 100",
    ),
    (
        A + "droplet: {significance: 0.5}\n",
        "droplet.significance: 0.5 is out of range; allowed: a number above 0 and below 0.5",
    ),
    (
        A + "transfer: {tolerance: 1e-3}\n",
        "transfer.tolerance: '1e-3' is text, not a number; "
        "allowed: a number above 0 and up to 0.1; did you mean 0.001?",
    ),
    (
        A + "benchmark: {samples: 4}\n",
        "benchmark.samples: 4 is out of range; allowed: an integer from 5 to 10000",
    ),
]


@pytest.mark.parametrize(("text", "line"), MALFORMED, ids=[line[:50] for _, line in MALFORMED])
def test_malformed_config_has_its_line(text, line, folder):
    assert message(text, folder) == f"x.yaml: {line}"


def test_every_problem_has_its_line(folder):
    text = "models: {a: {torchvision: resnet5}}\ntrials: [0, x]\nfoo: 1\n"
    assert message(text, folder).splitlines() == [
        "x.yaml: models.a.torchvision: 'resnet5' is no torchvision classification model; "
        "did you mean 'resnet50'?",
        f"x.yaml: trials[0]: 0 is out of range; allowed: {TRIALS}",
        f"x.yaml: trials[1]: 'x' is not an integer; allowed: {TRIALS}",
        f"x.yaml: foo: unknown key; allowed here: {TOP}",
    ]


def test_files_that_cannot_be_read(folder):
    with pytest.raises(ConfigError) as caught:
        load_config("none.yaml")
    assert str(caught.value) == (
        "none.yaml: no such file; give the path of an existing configuration file"
    )
    with pytest.raises(ConfigError) as caught:
        load_config("dir.onnx")
    assert str(caught.value) == "dir.onnx: cannot be read: is a directory; give a readable file"
    (folder / "bytes.yaml").write_bytes(b"models: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"^bytes\.yaml: not valid YAML: .*$"):
        load_config("bytes.yaml")
    (folder / "deep.yaml").write_text("a: " + "[" * 5000, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("deep.yaml")
    assert str(caught.value) == (
        "deep.yaml: not valid YAML: nested too deeply; mend the file's syntax"
    )


def test_a_value_that_contains_itself_is_refused(folder):
    text = "models: &m {a: *m}\n"
    assert message(text, folder).startswith("x.yaml: models.a: {'a': ")


def test_long_values_are_cut_short(folder):
    assert len(message(A + f"trials: {'x' * 10_000}\n", folder)) < 300


@pytest.mark.parametrize(
    "value", [None, True, -1, 0, 1.5, 10**400, "x", "", [], [[]], {}, {"a": 1}]
)
def test_no_value_anywhere_leaks_the_validator(value, tmp_path):
    """Put odd values in every key: each is accepted, or refused in this project's words."""
    log = log_of(tmp_path)
    for key in docs.all_keys():
        path = key.name.replace("<name>", "a").split(".")
        tree: dict = {"models": {"a": {"torchvision": "resnet18"}}}
        if path[-1] == "onnx":
            tree = {"models": {}}
        if path[0] == "donors":
            tree = {"models": {"m": {"torchvision": "resnet18"}}}
        if path[0] == "donors" and path[-1] in ("other_hardware", "family"):
            tree["donors"] = {"a": {"log": log}}
        if path[2:3] == ["rpc"]:
            rpc = {"tracker": "board:9190", "key": "a"}
            device = {"runner": "rpc", "target": {"kind": "llvm"}, "threads": 1, "rpc": rpc}
            tree["hardware"] = {"a": device}
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
        try:
            validate_config(tree)
        except ConfigError as error:
            written = key.name.replace("<name>", "a")
            for line in str(error).splitlines():
                assert line.startswith(f"config: {written}")
                assert not re.search(r"pydantic|https?:|Input should|Traceback", line)


def test_duplicate_keys_alone(folder):
    (folder / "x.yaml").write_text(A + "a: 1\nb: {c: [{d: 1, d: 2}]}\na: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check_duplicate_keys("x.yaml")
    assert str(caught.value).splitlines() == [
        "x.yaml: b.c[0].d: key 'd' in line 3 is a duplicate of line 3; keep one of the two",
        "x.yaml: a: key 'a' in line 4 is a duplicate of line 2; keep one of the two",
    ]
    (folder / "y.yaml").write_text("a: &x {b: 1}\nc: {<<: *x, b: 2}\n", encoding="utf-8")
    check_duplicate_keys("y.yaml")


def test_defaults():
    config = validate_config(data(A))
    assert config.trials == (5000,)
    assert config.logs == ("ansor", "droplet")
    assert list(config.hardware) == ["local"]
    local = config.hardware["local"]
    assert (local.target, local.threads, local.runner) == ("auto", "auto", "local")
    assert config.models["a"].shape == (1, 3, 224, 224)
    assert config.pair_list == []  # a single model has nothing to transfer to


@pytest.mark.parametrize("trials", [[300, 20], (300, 20), [20, 300]])
def test_trials_are_sorted(trials):
    assert validate_config({**data(A), "trials": trials}).trials == (20, 300)


def test_one_number_of_trials():
    assert validate_config({**data(A), "trials": 300}).trials == (300,)


def test_logs_have_one_order():
    assert validate_config({**data(A), "logs": ["droplet", "ansor"]}).logs == ("ansor", "droplet")


def log_of(folder, name="log"):
    (folder / name).mkdir()
    (folder / name / "database_tuning_record.json").write_text("")
    return str(folder / name)


def test_a_donor_is_a_source_and_no_target(tmp_path):
    donors = {"lab": {"log": log_of(tmp_path)}}
    config = validate_config({**data(AB), "donors": donors})
    assert config.pair_list == [("a", "b"), ("b", "a"), ("lab", "a"), ("lab", "b")]
    assert config.pool_of("a") == ["b", "lab"]
    one = validate_config({**data(AB), "donors": donors, "pairs": [["lab", "b"]]})
    assert one.pair_list == [("lab", "b")]
    assert config.donors["lab"].other_hardware is False


def test_pools_are_for_targets_of_two_sources_or_more():
    assert validate_config(data(AB)).pooled_targets == []
    three = {**data(AB), "models": {**data(AB)["models"], "c": {"torchvision": "alexnet"}}}
    assert validate_config(three).pooled_targets == ["a", "b", "c"]
    assert validate_config({**three, "pool": False}).pooled_targets == []


def test_donors_are_read_by_their_old_name_too(tmp_path):
    donors = {"lab": {"log": log_of(tmp_path)}}
    old = validate_config({**data(AB), "library": donors})
    assert old == validate_config({**data(AB), "donors": donors})
    assert "library" not in old.plain
    assert validate_config({**data(AB), "library": donors, "donors": {}}) == old
    with pytest.raises(ConfigError, match=r"library: this is what donors was called; put all of"):
        validate_config({**data(AB), "library": donors, "donors": donors})


def test_an_old_name_is_told_of_once_and_not_by_each_job(capsys):
    told = "note: library: is called donors: now, and read as that\n"
    for plans, said in ((True, told), (False, "")):
        load_workflow_config({**data(AB), "library": {}}, [], plans=plans)
        assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("donors", "text"),
    [
        ({"x": {"log": "nowhere"}}, "donors.x.log: 'nowhere' is no such folder; allowed: an"),
        ({"x": {"log": "{folder}"}}, "has no database_tuning_record.json, so it is no log"),
        ({"a": {"log": "{log}"}}, "donors: 'a' is a model's name already; give the log another"),
        ({"A": {"log": "{log}"}}, "donors: 'A' differs only by case from 'a'"),
        ({"pool": {"log": "{log}"}}, "'pool' is reserved for the pool of all source models"),
        ({"x": {}}, "donors.x.log: required key is missing; allowed: an existing folder of a log"),
    ],
)
def test_mistakes_in_the_donors(donors, text, tmp_path):
    places = {"folder": str(tmp_path), "log": log_of(tmp_path)}
    filled = {
        name: {key: value.format(**places) for key, value in one.items()}
        for name, one in donors.items()
    }
    with pytest.raises(ConfigError) as caught:
        validate_config({**data(AB), "donors": filled})
    assert text in str(caught.value)


def test_a_target_is_no_donor(tmp_path):
    donors = {"lab": {"log": log_of(tmp_path)}}
    with pytest.raises(ConfigError, match=r"pairs\[0\]\[1\]: 'lab' is no model; allowed: a, b"):
        validate_config({**data(AB), "donors": donors, "pairs": [["a", "lab"]]})


def test_pairs():
    every = validate_config(data(AB))
    assert every.pair_list == [("a", "b"), ("b", "a")]
    one = validate_config({**data(AB), "pairs": [["b", "a"]]})
    assert one.pair_list == [("b", "a")]
    assert validate_config({**data(AB), "pairs": []}).pair_list == []


@pytest.mark.parametrize("name", ["a", "A.b_c-d", "resnet50-64x64", "0", "to", "a" * 64])
def test_good_names(name):
    config = validate_config({"models": {name: {"torchvision": "resnet18"}}})
    assert list(config.models) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", "a--b", "-a", "a-", ".a", "_a", "a..b", "../a", "a/b", "ä", "a\n", "a" * 65),
        *("a-to-b", "to-a", "a-to", "POOL"),
    ],
)
def test_bad_names(name):
    with pytest.raises(ConfigError, match=r"^config: models: .* (no usable name|reserved)"):
        validate_config({"models": {name: {"torchvision": "resnet18"}}})


def test_names_of_one_section_are_free_in_the_other():
    validate_config({"models": {"models": {"torchvision": "resnet18"}}, "hardware": {"pool": {}}})


def test_target_mapping():
    target = {"kind": "llvm", "mcpu": "skylake", "mattr": ["-avx512f"], "num-cores": 4}
    config = validate_config({**data(A), "hardware": {"x": {"target": target}}})
    assert config.hardware["x"].target == target
    for target in ("cuda", {"kind": "cuda", "arch": "sm_90"}):
        config = validate_config({**data(A), "hardware": {"x": {"target": target}}})
        assert config.hardware["x"].target == target


def test_onnx_is_relative_to_the_base_directory(folder, monkeypatch):
    models = {"models": {"m": {"onnx": "m.onnx"}}}
    assert validate_config(models).models["m"].onnx == "m.onnx"
    monkeypatch.chdir("/")
    validate_config(models, base_dir=folder)
    with pytest.raises(ConfigError, match="no such file"):
        validate_config(models)


def test_shapes_and_values_of_a_users_inputs(folder):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(docs.schema_text()))
    (folder / "v.npz").write_bytes(b"any")
    for text, shape, inputs in (
        ("shape: [1, 16]", (1, 16), None),
        ("shape: {ids: [1, 16], x: [2]}", {"ids": [1, 16], "x": [2]}, None),
        ("shape: null, inputs: {ids: [0, 30522], x: [-0.5, 1]}", None,
         {"ids": [0, 30522], "x": [-0.5, 1]}),
        ("inputs: v.npz", None, "v.npz"),
    ):  # fmt: skip
        given = data(f"models: {{a: {{onnx: m.onnx, {text}}}}}")
        assert validator.is_valid(given), text
        model = validate_config(given).models["a"]
        assert (model.shape, model.inputs) == (shape, inputs)
        assert validate_config(validate_config(given).plain).models["a"] == model
    same = "models: {a: {onnx: m.onnx, shape: [1]}, b: {onnx: m.onnx, shape: [2]}}"
    assert len(validate_config(data(same)).models) == 2


def test_names_are_not_checked_without_torchvision(monkeypatch):
    monkeypatch.setattr(config_sources, "classification_models", lambda: ())
    validate_config({"models": {"a": {"torchvision": "anything"}}})


def test_any_mapping_is_taken_and_left_alone():
    inner = OrderedDict(a=MappingProxyType({"torchvision": "resnet18"}))
    given = MappingProxyType({"models": inner, "search": OrderedDict(seed=1)})
    assert validate_config(given).search.seed == 1
    assert isinstance(given["models"], OrderedDict)


def test_config_is_frozen():
    config = validate_config(data(A))
    with pytest.raises(ValidationError):
        config.trials = (1,)


def test_canonical_json():
    config = validate_config(data(AB))
    text = config.canonical_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert validate_config(json.loads(text)) == config
    same = {"trials": 5000, "measure": {"min_repeat_ms": 5}, "logs": ["droplet", "ansor"]}
    assert validate_config({**same, **data(AB)}).canonical_json() == text
    assert validate_config({**data(AB), "trials": 1}).canonical_json() != text


def test_error_is_for_the_user():
    assert issubclass(ConfigError, UserError)


# --- Names of torchvision's models -------------------------------------------------------------
def test_model_names_are_read_from_the_source(tmp_path, monkeypatch):
    package = tmp_path / "torchvision"
    (package / "models" / "detection").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('must not be imported')\n")
    source = (
        "@register_model()\n@legacy(\n    weights=1,\n)\ndef {}(*, weights=None):\n    pass\n\n\n"
    )
    other = "def helper():\n    pass\n\n\n"
    text = source.format("netb") + other + source.format("neta")
    (package / "models" / "net.py").write_text(text)
    (package / "models" / "detection" / "d.py").write_text(source.format("detector"))
    monkeypatch.syspath_prepend(str(tmp_path))
    # Another test of the same process may have imported the real one.
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    torchvision_names.modules.cache_clear()
    try:
        assert torchvision_names.classification_models() == ("neta", "netb")
    finally:
        torchvision_names.modules.cache_clear()


def test_no_model_names_without_torchvision(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    torchvision_names.modules.cache_clear()
    try:
        assert torchvision_names.classification_models() == ()
    finally:
        torchvision_names.modules.cache_clear()


def test_shipped_models_are_in_the_installed_torchvision():
    names = torchvision_names.classification_models()
    if not names:
        pytest.skip("torchvision is not installed")
    assert set(KNOWN) <= set(names)
    assert not [name for name in names if name.startswith(("quantized", "fasterrcnn", "fcn"))]


# --- Shipped and generated files ---------------------------------------------------------------
@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_shipped_configs_are_valid(name):
    path = ROOT / "config" / name
    load_config(path)
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data(path.read_text(encoding="utf-8")), schema)


def test_schema_refuses_what_the_model_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(docs.schema_text()))
    for text in (
        "{}",
        "models: {}",
        "models: {a-to-b: {torchvision: resnet18}}",
        "models: {a: {torchvision: resnet18, onnx: m.onnx}}",
        "models: {a: {torchvision: resnet18, shape: [1, 3, 8]}}",
        "models: {a: {onnx: m.onnx, shape: {x: [0]}}}",
        "models: {a: {onnx: m.onnx, inputs: {x: [0]}}}",
        A + "trials: [0]",
        A + "logs: []",
        A + "pairs: [[a, a]]",
        A + "search: {batch_size: 0}",
        A + "hardware: {x: {target: {kind: cuda}}}",
    ):
        assert not validator.is_valid(data(text)), text


def test_default_config_holds_the_defaults():
    shipped = load_config(ROOT / "config" / "config.yaml")
    assert list(shipped.models) == ["resnet50", "googlenet", "alexnet"]
    models = {name: {"torchvision": name} for name in shipped.models}
    assert shipped == validate_config({"models": models})


def test_default_config_has_every_key():
    written = data((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert list(written) == list(Config.model_fields)
    for section in Config.SECTIONS:
        fields = docs.settings_class(Config.model_fields[section]).model_fields
        assert list(written[section]) == list(fields)


def test_every_key_is_documented_with_its_unit():
    for key in docs.all_keys():
        assert key.meaning, key.name
        for suffix, unit in (("_ms", "ms"), ("_s", "s")):
            if key.name.endswith(suffix):
                assert key.unit == unit


def generate(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "rivulet", "config-docs", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_generated_files_are_up_to_date():
    done = generate("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_generator_finds_and_mends_drift(tmp_path):
    readme = f"intro\n{docs.BEGIN}\nold\n{docs.END}\nend\n"
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    done = generate("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path / name}: out of date; run 'rivulet config-docs' and commit the result"
        for name in ("schema.json", "config.yaml", "README.md")
    ]
    assert generate("--folder", str(tmp_path)).returncode == 0
    assert generate("--check", "--folder", str(tmp_path)).returncode == 0
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written.startswith(f"intro\n{docs.BEGIN}\n| Key |")
    assert written.endswith(f"{docs.END}\nend\n")


def test_generator_wants_the_markers(tmp_path):
    (tmp_path / "README.md").write_text("no markers\n", encoding="utf-8")
    done = generate("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert docs.BEGIN in done.stderr


def test_import_is_light():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import rivulet.config; "
        "rivulet.config.validate_config({'models': {'a': {'torchvision': 'resnet18'}}}); "
        "print(*sorted({'tvm', 'torch', 'torchvision', 'numpy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(ROOT / "src")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
