"""A new strategy is a file, a rule and an entry in the table of methods, and nothing else."""

import filecmp
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from rivulet.provenance import read_record
from rivulet.records.trials import read_trials
from workflow.conftest import Checkout, environment, rows_of, small_models

RULE = """

use rule search_schedules as search_random with:
    output:
        workloads=paths.OWN_LOG.at(own_log="random") / WORKLOADS,
        records=paths.OWN_LOG.at(own_log="random") / RECORDS,
        trials=paths.OWN_LOG.at(own_log="random") / paths.TRIALS,
        record=paths.OWN_LOG.at(own_log="random") / paths.RECORD,
    log:
        paths.OWN_LOG.at(own_log="random").text_log,
    params:
        settings=settings("random", "hardware", "trials"),
"""
ENTRY = """METHODS: tuple[Method, ...] = (
    Method(
        name="random",
        title="random search",
        colour="#5b7f3a",
        folder="random",
        work="random search",
        stage="random",
        sections=("search",),
    ),
"""
CHANGED = {"src/rivulet/stages/random.py", "rules/search.smk", "src/rivulet/methods.py"}
LOG = Path("results/local/logs/random-24/wide")


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("extended"))
    new = (Path(__file__).parent / "new_strategy.py").read_text()
    (checkout.folder / "src/rivulet/stages/random.py").write_text(new)
    with (checkout.folder / "rules/search.smk").open("a") as rules:
        rules.write(RULE)
    table = checkout.folder / "src/rivulet/methods.py"
    table.write_text(table.read_text().replace("METHODS: tuple[Method, ...] = (\n", ENTRY))
    checkout.configure(
        small_models(checkout.folder), pairs=[["narrow", "wide"]], pool=False, logs=["ansor"],
        droplet={"trials": 0}, benchmark={"baselines": ["onnxruntime"], "processes": 1,
        "samples": 5, "min_sample_ms": 1, "inputs": 1},
    )  # fmt: skip
    package = "results/local/library/wide-random-24/manifest.json"
    run = checkout.snakemake("all", package)
    assert run.code == 0, run.text
    return checkout


def test_only_three_files_were_touched(extended):
    names = subprocess.check_output(
        ["git", "ls-files", "src", "rules", "scripts", "Snakefile", "profiles"], cwd=ROOT, text=True
    ).split()
    changed = {
        name
        for name in names
        if (ROOT / name).exists() and not filecmp.cmp(ROOT / name, extended.folder / name, False)
    }
    added = {
        str(path.relative_to(extended.folder))
        for folder in ("src", "rules", "scripts")
        for path in (extended.folder / folder).rglob("*.*")
        if "__pycache__" not in path.parts
        and not (ROOT / path.relative_to(extended.folder)).exists()
    }
    assert changed | added == CHANGED


def test_it_has_a_log_with_the_trials_asked_for(extended):
    trials = read_trials(extended.folder / LOG / "trials.csv")
    assert [trial.strategy for trial in trials] == ["random"] * 24
    assert any(not trial.error for trial in trials)
    record = read_record(extended.folder / LOG / "log.json")
    assert record.stage == "random"
    assert record.settings["search"]["batch_size"] == 4
    assert record.facts["trials_measured"] == 24


def test_it_is_in_tables_plots_and_the_report(extended):
    table = rows_of(extended.folder / "results/local/benchmarks/ansor-24/narrow-to-wide.csv")
    (row,) = [row for row in table if row["method"] == "random"]
    assert float(row["latency_ms"]) > 0
    assert row["trials_measured"] == "24"
    assert "random" in {
        row["method"] for row in rows_of(extended.folder / "results/benchmarks.csv")
    }
    page = (extended.folder / "results/report.html").read_text()
    assert "random search" in page.lower()
    assert "#5b7f3a" in page


def test_it_has_a_package(extended):
    manifest = extended.folder / "results/local/library/wide-random-24/manifest.json"
    assert json.loads(manifest.read_text())["method"] == "random"
    subprocess.run([sys.executable, "run.py"], cwd=manifest.parent, check=True, capture_output=True)


def test_it_runs_by_hand_and_is_known_to_the_cluster(extended):
    by_hand = extended.rivulet("logs", "show", LOG)
    assert by_hand.returncode == 0, by_hand.stderr
    code = "from rivulet.workflow.measuring import measuring_rules; print(measuring_rules())"
    told = subprocess.check_output(
        [sys.executable, "-c", code], text=True,
        env=environment(PYTHONPATH=str(extended.folder / "src")),
    )  # fmt: skip
    assert "'search_random': 'random'" in told
