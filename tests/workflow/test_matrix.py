"""The whole matrix on real models, and what is stale after each kind of change."""

import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from rivulet.benchmark.table import MethodRow
from rivulet.provenance import read_record
from rivulet.records.stored import log_trials
from rivulet.records.trials import trials_text
from rivulet.tables import columns_of
from workflow.conftest import SMALL, Checkout, environment, rows_of, small_models

MEASURING = ("logs/*/logs/*/*.log", "logs/*/transfer/*/*.log", "logs/*/benchmarks/*/*.log")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: a torchvision model and a user's ONNX file, both directions, both logs."""
    checkout = Checkout(tmp_path_factory.mktemp("matrix"))
    models = small_models(checkout.folder)
    models = {
        "resnet18": {"torchvision": "resnet18", "shape": [1, 3, 32, 32]},
        "wide": models["wide"],
    }
    benchmark = {
        **SMALL["benchmark"], "baselines": ["untuned", "onnxruntime", "torch"], "processes": 2,
        "max_processes": 2, "inputs": 2,
    }  # fmt: skip
    checkout.configure(models, trials=[40], benchmark=benchmark)
    # More cores than measuring jobs need: only the device's limit keeps them apart.
    run = checkout.snakemake(cores=4)
    assert run.code == 0, run.text
    checkout.run = run
    return checkout


@pytest.fixture
def workspace(finished):
    """The finished run, put back after the test as it was."""
    before = (finished.folder / "config/test.yaml").read_text()
    changed = {}

    def edit(name, change):
        path = finished.folder / name
        changed.setdefault(path, path.read_text())
        path.write_text(change(path.read_text()))

    finished.edit = edit
    yield finished
    for path, text in changed.items():
        path.write_text(text)
    (finished.folder / "config/test.yaml").write_text(before)
    finished.config = yaml.safe_load(before)


def reconfigure(workspace, **changes):
    workspace.configure(**{**workspace.config, **changes})


def test_the_interface_is_all_there(finished):
    for name in (
        "models/resnet18.onnx",
        "local/kernels/resnet18.csv",
        "local/logs/ansor-40/resnet18/database_workload.json",
        "local/logs/ansor-40/resnet18/database_tuning_record.json",
        "local/logs/ansor-40/resnet18/trials.csv",
        "local/logs/droplet-40/wide/database_tuning_record.json",
        "local/transfer/droplet-40/wide-to-resnet18/candidates.csv",
        "local/transfer/ansor-40/resnet18-to-wide/trials.csv",
        "local/transfer/ansor-40/resnet18-to-wide/measured/database_tuning_record.json",
        "local/transfer/ranking.csv",
        "local/roofline.csv",
        "local/benchmarks/ansor-40/resnet18-to-wide.csv",
        "local/benchmarks/ansor-40/samples/resnet18-to-wide.csv",
        "local/benchmarks/ansor-40/kernels/resnet18-to-wide.csv",
        "local/libraries/droplet-40/wide.html",
        "local/libraries/transfer-ansor-40/wide-to-resnet18.html",
        "benchmarks.csv",
        "report.html",
    ):
        assert (finished.folder / "results" / name).exists(), name


def test_the_pair_table_says_what_the_readme_says(finished):
    path = finished.folder / "results/local/benchmarks/droplet-40/wide-to-resnet18.csv"
    rows = rows_of(path)
    assert tuple(rows[0]) == columns_of(MethodRow)
    by_method = {row["method"]: row for row in rows}
    assert list(by_method) == ["untuned", "onnxruntime", "torch", "ansor", "droplet", "transfer"]
    for row in rows:
        assert row["error"] == ""
        low, mid, high = (float(row[f"latency_ms{end}"]) for end in ("_low", "", "_high"))
        assert 0 < low <= mid <= high
        assert float(row["max_rel_error"]) <= 1e-3
        assert (row["target"], row["source"], row["log"]) == ("resnet18", "wide", "droplet")
        # What takes seconds has one sample in each process.
        samples = "2" if row["method"] == "untuned" else "10"
        assert (row["processes"], row["samples"]) == ("2", samples)
        for ratio in ("speedup_vs_onnxruntime", "share_of_ansor_speedup"):
            low, mid, high = (float(row[f"{ratio}{end}"]) for end in ("_low", "", "_high"))
            assert low <= mid <= high
    ansor, transfer = by_method["ansor"], by_method["transfer"]
    assert float(ansor["share_of_ansor_speedup"]) == 1
    assert int(ansor["trials_measured"]) == 40
    assert float(ansor["speedup_vs_untuned"]) > 1
    ratio = float(by_method["untuned"]["latency_ms"]) / float(transfer["latency_ms"])
    assert float(transfer["speedup_vs_untuned"]) == pytest.approx(ratio, rel=1e-3)
    assert 0 < int(transfer["kernels_covered"]) <= int(transfer["kernels_total"])
    assert float(transfer["flops_covered"]) > 0.95
    # What was searched on the sources stands beside what was searched here, never within it.
    assert float(transfer["source_search_seconds"]) > 0
    assert transfer["ansor_seconds_to_match"] == "never" or (
        float(transfer["ansor_seconds_to_match"]) > 0
    )
    assert float(transfer["kernel_sum_ms"]) > 0


def test_all_samples_and_the_machine_are_kept(finished):
    record = read_record(
        finished.folder / "results/local/benchmarks/ansor-40/wide-to-resnet18.json"
    )
    rows = rows_of(finished.folder / "results/local/benchmarks/ansor-40/wide-to-resnet18.csv")
    samples = rows_of(
        finished.folder / "results/local/benchmarks/ansor-40/samples/wide-to-resnet18.csv"
    )
    for row in rows:
        own = [one for one in samples if one["method"] == row["method"]]
        assert len(own) == int(row["samples"]) == (2 if row["method"] == "untuned" else 10)
        assert {one["process"] for one in own} == {"1", "2"}
    assert len(record.facts["conduct"]) == 2
    assert record.facts["config"]["trials"] == [40]
    state = record.facts["environment"]
    assert state["threads"] == 1
    assert state["pinned_to"]
    assert "llvm" in state["resolved_target"]
    assert int(state["llvm"]) > 10
    assert {"apache-tvm", "onnxruntime", "torch"} <= set(state["versions"])
    assert state["cpu"]
    assert state["features"]
    assert state["fingerprint"] == rows[0]["fingerprint"]


def test_one_table_holds_all_pairs(finished):
    rows = rows_of(finished.folder / "results/benchmarks.csv")
    assert len(rows) == 2 * (6 + 5)  # PyTorch does not know a model of the user's own
    assert {(r["source"], r["target"], r["log"]) for r in rows} == {
        (s, t, log)
        for s, t in (("resnet18", "wide"), ("wide", "resnet18"))
        for log in ("ansor", "droplet")
    }


def test_the_report_stands_alone_and_shows_the_figures(finished):
    page = (finished.folder / "results/report.html").read_text()
    assert "<svg" in page
    assert not re.search(r"(src|href)=[\"']https?://", page)
    for word in (
        "resnet18",
        "wide",
        "transfer",
        "onnxruntime",
        "Ranking of sources",
        "Search time",
    ):
        assert word in page


def test_kernels_are_told_by_method_with_their_share_of_the_roof(finished):
    rows = rows_of(
        finished.folder / "results/local/benchmarks/ansor-40/kernels/wide-to-resnet18.csv"
    )
    assert {row["method"] for row in rows} == {"untuned", "ansor", "droplet", "transfer"}
    table = rows_of(finished.folder / "results/local/kernels/resnet18.csv")
    for method in ("untuned", "ansor"):
        own = [row for row in rows if row["method"] == method]
        named = {row["kernel"] for row in own} - {"(other)"}
        assert named == {row["task"] for row in table}
        assert sum(float(row["share_of_model"]) for row in own) == pytest.approx(1, abs=0.05)
        peaks = [float(row["share_of_peak"]) for row in own if row["share_of_peak"]]
        assert 0 < max(peaks) < 1.2


def test_schedules_can_be_read(finished):
    page = (finished.folder / "results/local/libraries/ansor-40/resnet18.html").read_text()
    table = rows_of(finished.folder / "results/local/kernels/resnet18.csv")
    for row in table:
        assert f'<h2 id="{row["task"]}">' in page
    assert "T.prim_func" in page
    assert "sch.sample_perfect_tile" in page


def call(finished, *command):
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=finished.folder, text=True, capture_output=True,
        env=environment(), check=False,
    )  # fmt: skip


def test_a_wrong_output_is_told_with_the_kernels_behind_it(finished, tmp_path):
    # No two ways of summing agree to so many digits.
    benchmark = {**finished.config["benchmark"], "tolerance": 1e-9, "baselines": ["onnxruntime"]}
    copy = tmp_path / "copy"
    shutil.copytree(finished.folder, copy, symlinks=True)
    config = {**finished.config, "benchmark": benchmark}
    (copy / "config/strict.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [
            sys.executable, "scripts/benchmark_pair.py", "--configfile", "config/strict.yaml",
            "--record", "results/local/benchmarks/ansor-40/resnet18-to-wide.json",
        ],
        cwd=copy, text=True, capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = copy / "results/local/benchmarks/ansor-40/resnet18-to-wide.csv"
    rows = {row["method"]: row for row in rows_of(table)}
    assert rows["onnxruntime"]["error"] == ""
    tasks = {row["task"] for row in rows_of(finished.folder / "results/local/kernels/wide.csv")}
    for method in ("ansor", "droplet", "transfer"):
        assert rows[method]["latency_ms"] == ""
        assert rows[method]["error"].startswith("wrong output: relative error ")
        # Also those that the method did not measure, and whose log has no trial of them. Alone,
        # each kernel may well sum in the order in which its plain loops do.
        named = re.findall("; kernel (.+?): ", rows[method]["error"])
        assert set(named) <= tasks
        said = "its output differs from the unscheduled kernel's (" if named else "kernels is right"
        assert said in rows[method]["error"]
    assert "replaying its kernels one at a time" in done.stderr


def test_the_best_schedules_are_shown(finished):
    whole = finished.rivulet("best", "resnet18")
    assert whole.returncode == 0, whole.stderr
    table = rows_of(finished.folder / "results/local/kernels/resnet18.csv")
    assert len(whole.stdout.splitlines()) == len(table) + 1
    kernel = whole.stdout.splitlines()[1].split()[0]
    one = finished.rivulet("best", kernel, "--model", "resnet18", "--json")
    assert one.returncode == 0, one.stderr
    told = json.loads(one.stdout)
    assert told["kernel"] == kernel
    assert "T.prim_func" in told["tir"]
    wrong = finished.rivulet("best", "resnet19")
    assert wrong.returncode == 2
    assert "did you mean 'resnet18'?" in wrong.stderr


def test_a_model_is_taken_home_and_runs_there(finished, tmp_path):
    name = "results/local/library/resnet18-droplet-40"
    moved = "results/local/library/wide-transfer-from-resnet18-40"
    run = finished.snakemake(f"{name}/manifest.json", f"{moved}/manifest.json")
    assert run.code == 0, run.text
    assert finished.plan().jobs == {}
    for package in (name, moved):
        manifest = json.loads((finished.folder / package / "manifest.json").read_text())
        assert manifest["latency_ms"]["low"] <= manifest["latency_ms"]["median"]
        assert manifest["trials"] == 40
        home = shutil.copytree(finished.folder / package, tmp_path / Path(package).name)
        done = call(finished, home / "run.py")
        assert done.returncode == 0, done.stderr
        assert "'output': ((1, 1000)" in done.stdout or "'output': ((1, 10)" in done.stdout


def test_an_unfinished_run_has_a_report_of_what_is_there(workspace):
    reconfigure(workspace, trials=[40, 60], benchmark={**workspace.config["benchmark"], "seed": 9})
    done = workspace.rivulet("report", "--configfile", "config/test.yaml")
    assert done.returncode == 0, done.stderr
    page = (workspace.folder / "results/report-unfinished.html").read_text()
    assert "This run is not finished." in page
    assert "results/local/benchmarks/ansor-60/resnet18-to-wide.csv" in page
    assert "Some of this is out of date." in page
    assert "made with other settings (benchmark)" in page
    missing = workspace.rivulet("report", "--configfile", "none.yaml")
    assert missing.returncode == 1
    assert "none.yaml" in missing.stderr


def test_a_finished_run_is_kept_as_a_reference(finished, tmp_path):
    place = tmp_path / "kept"
    keep = ("keep", place, "--configfile", "config/test.yaml")
    done = finished.rivulet(*keep)
    assert done.returncode == 0, done.stderr
    page = (place / "report.html").read_text()
    assert '"pages":[]' in page
    assert '"pages":["' in (finished.folder / "results/report.html").read_text()
    table = place / "local/benchmarks/ansor-40/resnet18-to-wide.csv"
    assert rows_of(table) == rows_of(
        finished.folder / "results/local/benchmarks/ansor-40/resnet18-to-wide.csv"
    )
    assert not list(place.rglob("*.so"))
    readme = (place / "README.md").read_text()
    assert "## In short" in readme
    assert re.search(r"\| Ansor's search \| \d+ \| ", readme)
    assert (place / "speed.svg").read_text().startswith("<svg ")
    log = place / "local/logs/ansor-40/resnet18/database_tuning_record.json.gz"
    best = gzip.decompress(log.read_bytes()).splitlines()
    whole = finished.folder / "results/local/logs/ansor-40/resnet18/database_tuning_record.json"
    assert 0 < len(best) <= len(whole.read_text().splitlines())
    assert (place / "local/transfer/ansor-40/resnet18-to-wide/trials.csv.gz").exists()
    command = [*finished.command("-n")[:-1], str(place / "config.yaml")]
    again = subprocess.run(
        command, cwd=finished.folder, text=True, capture_output=True, env=environment(), check=False
    )
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stdout + again.stderr
    assert finished.rivulet(*keep).returncode == 0
    other = finished.rivulet("keep", place)
    assert other.returncode == 1
    assert "not the configuration that the report shows" in other.stderr
    (tmp_path / "mine").mkdir()
    refused = finished.rivulet("keep", tmp_path / "mine")
    assert refused.returncode == 1
    assert "no reference that this command has made" in refused.stderr
    whole = finished.rivulet("keep", "results")
    assert whole.returncode == 1
    assert "the results lie there" in whole.stderr
    assert (finished.folder / "results/benchmarks.csv").exists()


def test_snakemake_makes_a_report_of_its_own(finished, tmp_path):
    run = finished.snakemake("--report", str(tmp_path / "report.zip"))
    assert run.code == 0, run.text
    assert (tmp_path / "report.zip").stat().st_size > 10_000


def test_a_finished_run_can_be_watched_too(finished):
    text = finished.rivulet("watch", "--once").stdout
    assert ": finished; started " in text
    assert re.search(r"\[#+\] (\d+) of \1 jobs \(100%\), 0 left", text)
    assert "search_schedules 2/2" in text or "package_own 1/1" in text


def test_a_transfer_is_proven_in_the_whole_model(finished):
    folder = finished.folder / "results/local/transfer/ansor-40/resnet18-to-wide"
    facts = read_record(folder / "log.json").facts
    assert facts["in_place_before_ms"]
    assert facts["in_place_after_ms"]
    assert isinstance(facts["put_back"], list)
    assert 0 <= facts["output_error"] <= 1e-3
    assert list(facts["seconds_by_step"]) == [
        "start", "without schedules", "candidates", "settling", "compiling", "proof", "in place",
    ]  # fmt: skip
    assert all(seconds >= 0 for seconds in facts["seconds_by_step"].values())
    rows = rows_of(folder / "candidates.csv")
    by_kernel = itertools.groupby(rows, key=lambda row: row["kernel"])
    for _, own in by_kernel:
        own = list(own)
        assert sum(row["chosen"] == "yes" for row in own) == 1
        assert own[-1]["kind"] == "default"


def test_a_log_from_elsewhere_and_the_pool_are_sources_too(finished, tmp_path):
    log = finished.folder / "results/local/logs/ansor-40/resnet18"
    checkout = Checkout(tmp_path)
    donors = {"lab": {"log": str(log)}, "other": {"log": str(log)}}
    checkout.configure({"wide": small_models(checkout.folder)["wide"]}, donors=donors)
    pool = "results/local/transfer/ansor-24/pool-to-wide/log.json"
    pair = "results/local/benchmarks/ansor-24/lab-to-wide.csv"
    run = checkout.snakemake(pool, pair)
    assert run.code == 0, run.text
    rows = {row["method"]: row for row in rows_of(checkout.folder / pair)}
    assert rows["transfer"]["error"] == ""
    assert rows["transfer"]["source"] == "lab"
    facts = read_record(checkout.folder / pool).facts
    assert facts["kernels_covered"] > 0
    tried = rows_of((checkout.folder / pool).with_name("candidates.csv"))
    assert {"lab"} <= {row["source"] for row in tried}
    # From another device it is refused, unless the config says otherwise.
    record = json.loads((log / "log.json").read_text())
    moved = tmp_path / "moved"
    shutil.copytree(log, moved)
    record["settings"]["fingerprint"] = "0123456789ab"
    (moved / "log.json").write_text(json.dumps(record))
    checkout.configure(checkout.config["models"], donors={"far": {"log": str(moved)}})
    run = checkout.snakemake("results/local/transfer/ansor-24/far-to-wide/log.json")
    assert run.code != 0
    assert "was made on another device ('local', fingerprint 0123456789ab)" in run.text
    checkout.configure(
        checkout.config["models"], donors={"far": {"log": str(moved), "other_hardware": True}}
    )
    run = checkout.snakemake("results/local/transfer/ansor-24/far-to-wide/log.json")
    assert run.code == 0, run.text
    assert "its order of schedules may not hold here" in run.text


def test_measuring_jobs_never_overlapped(finished):
    spans = []
    for pattern in MEASURING:
        for log in finished.folder.glob(pattern):
            lines = log.read_text().splitlines()
            times = [
                datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")
                for line in lines
                if re.match(r"\d{4}-.*(: started,|: done in)", line)
            ]
            assert len(times) == 2, log
            spans.append((*times, log.name))
    assert len(spans) == 2 + 2 + 4 + 4
    spans.sort()
    for (_, end, first), (start, _, second) in itertools.pairwise(spans):
        assert start >= end, f"{second} started before {first} was done"


def test_progress_is_shown(finished):
    text = finished.run.text
    assert re.search(r"search resnet18 +\d+/40 trials \| \S+ \(\d+/18\) best .* left", text)
    assert re.search(r"search resnet18 +40/40 trials \|.*model \d+\.\d+ ms \| done in", text)
    assert re.search(r"transfer wide-to-resnet18 +18/18 kernels", text)


def test_no_scratch_is_left(finished):
    assert not list(Path(tempfile.gettempdir()).glob("rivulet-scratch-*/kernel*"))


# --- what is stale -------------------------------------------------------------------------------
ALL_LOGS = {"search_schedules": 2, "refine_droplet": 2}
AFTER_LOGS = {
    "transfer_schedules": 4,
    "compile_tuned": 4,
    "rank_sources": 1,
    "benchmark_pair": 4,
    "collect_benchmarks": 1,
    "make_report": 1,
}
MEASURED_ON_HARDWARE = {
    "extract_kernels": 2, "compile_untuned": 2, "measure_roofline": 1, **ALL_LOGS, **AFTER_LOGS
}  # fmt: skip


def test_nothing_is_stale_after_a_run(workspace):
    assert workspace.plan().jobs == {}


@pytest.mark.parametrize("name", ["README.md", "config/test.yaml", "src/rivulet/report/plots.py"])
def test_nothing_is_stale_after_an_edited_text_or_comment(workspace, name):
    comment = "\n<!-- edited -->\n" if name.endswith(".md") else "\n# edited\n"
    workspace.edit(name, lambda text: text + comment)
    run = workspace.plan()
    assert run.jobs == {}
    assert "note:" not in run.text


@pytest.mark.parametrize("count", [60, 30])
def test_one_more_trial_count_makes_its_own_logs_and_what_follows(workspace, count):
    reconfigure(workspace, trials=[40, count])
    run = workspace.plan()
    assert run.jobs == {**ALL_LOGS, **AFTER_LOGS}
    assert run.reasons("search_schedules") == {"Missing output files"}
    assert "ansor-40/resnet18/log.json" not in "".join(
        re.findall(r"^    output: (.*)", run.text, re.MULTILINE)
    )


def test_a_trial_count_that_is_too_small_is_said_before_anything_runs(workspace):
    reconfigure(workspace, trials=[40, 30])
    warnings = [line for line in workspace.plan().text.splitlines() if "warning" in line]
    assert warnings == [
        "warning: 30 trials are few for 18 kernels; the smallest sensible number is 36 "
        "(model resnet18 on local)"
    ]


def test_one_more_model_makes_its_own_chain_and_pairs(workspace):
    models = {**workspace.config["models"], "narrow": {"onnx": "mine/narrow.onnx"}}
    reconfigure(workspace, models=models)
    assert workspace.plan().jobs == {
        "export_model": 1,
        "extract_kernels": 1,
        "compile_untuned": 1,
        "search_schedules": 1,
        "refine_droplet": 1,
        "compile_tuned": 5,
        # With a third model come pools of two sources, and a search that starts from each.
        "transfer_schedules": 8 + 6,
        "search_warm": 3,
        "rank_sources": 1,
        "benchmark_pair": 8 + 6,
        "collect_benchmarks": 1,
        "make_report": 1,
    }


def test_another_search_setting_makes_the_logs_but_no_export(workspace):
    reconfigure(workspace, search={**workspace.config["search"], "seed": 7})
    run = workspace.plan()
    assert run.jobs == {**ALL_LOGS, **AFTER_LOGS}
    assert run.reasons("search_schedules") == {"Params have changed since last execution"}


def test_a_droplet_setting_leaves_the_searches_alone(workspace):
    reconfigure(workspace, droplet={**workspace.config["droplet"], "trials": 9})
    run = workspace.plan()
    # Pairs from logs without droplet are timed beside their target's droplet, so they follow.
    assert run.jobs == {
        **AFTER_LOGS, "refine_droplet": 2, "transfer_schedules": 2, "compile_tuned": 2,
    }  # fmt: skip
    assert run.reasons("refine_droplet") == {"Params have changed since last execution"}


def test_how_work_is_done_makes_nothing_stale(workspace):
    reconfigure(workspace, measure={**workspace.config["measure"], "build_workers": 1})
    # The report shows the config, so it alone follows.
    assert workspace.plan().jobs == {"make_report": 1}


def test_another_device_makes_its_measurements_but_no_export(workspace):
    reconfigure(workspace, hardware={"local": {"threads": 1, "target": {"kind": "llvm"}}})
    run = workspace.plan()
    assert run.jobs == MEASURED_ON_HARDWARE
    assert run.reasons("extract_kernels") == {"Params have changed since last execution"}


def test_another_tvm_makes_its_measurements_but_no_export(workspace, tmp_path, monkeypatch):
    info = tmp_path / "apache_tvm-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: apache-tvm\nVersion: 9.9\n")
    path = str(tmp_path)
    monkeypatch.setattr("workflow.conftest.environment", lambda: environment(PYTHONPATH=path))
    run = workspace.plan()
    assert run.jobs == MEASURED_ON_HARDWARE
    assert run.reasons("extract_kernels") == {"Params have changed since last execution"}


def test_a_plots_code_makes_the_report_alone(workspace):
    workspace.edit("src/rivulet/report/plots.py", lambda text: text + "\nEXTRA = 1\n")
    run = workspace.plan()
    assert run.jobs == {"make_report": 1}
    assert run.reasons("make_report") == {"Params have changed since last execution"}


def test_the_searchs_code_makes_a_note_alone(workspace):
    workspace.edit("src/rivulet/search/strategy.py", lambda text: text + "\nEXTRA = 1\n")
    run = workspace.plan()
    assert run.jobs == {}
    assert "rivulet adopt" not in run.text
    assert "note: the code of 'search' has changed since 2 of its artefacts were made" in run.text


# --- results that travel without Snakemake's metadata --------------------------------------------
@pytest.fixture
def moved(finished, tmp_path):
    """A fresh checkout that got the results, with new times in an unhelpful order."""
    checkout = Checkout(tmp_path)
    for folder in ("results", "mine"):
        shutil.copytree(finished.folder / folder, checkout.folder / folder, dirs_exist_ok=True)
    shutil.copy(finished.folder / "config/test.yaml", checkout.folder / "config/test.yaml")
    checkout.config = yaml.safe_load((finished.folder / "config/test.yaml").read_text())
    files = sorted(p for p in checkout.folder.glob("results/**/*") if p.is_file())
    now = datetime.now().timestamp()
    for age, path in enumerate(files):
        # Sorted by name the report comes last, so this dates it oldest and the models newest.
        os.utime(path, (now - age, now - age))
    return checkout


def test_nothing_is_stale_after_results_were_copied(moved):
    assert moved.adopt().endswith(" artefacts adopted\n")
    assert moved.plan().jobs == {}


def test_a_change_is_seen_in_copied_results_too(moved):
    reconfigure(moved, search={**moved.config["search"], "seed": 7})
    assert (
        "ansor-40/wide/log.json: made with other settings (search); it will be made again"
        in moved.adopt()
    )
    assert moved.plan().jobs == {**ALL_LOGS, **AFTER_LOGS}


def test_another_model_definition_is_seen_in_copied_results_too(moved):
    models = moved.config["models"]
    reconfigure(moved, models={**models, "resnet18": {**models["resnet18"], "seed": 5}})
    moved.adopt()
    run = moved.plan()
    assert run.jobs["export_model"] == 1
    assert run.jobs["search_schedules"] == 1


def test_a_log_of_other_settings_is_kept_and_comes_back(workspace):
    log = "results/local/logs/ansor-40/wide/trials.csv"
    target = "results/local/logs/ansor-40/wide/log.json"
    first = (workspace.folder / log).read_text()
    seed = workspace.config["search"]
    reconfigure(workspace, search={**seed, "seed": 7})
    assert workspace.snakemake(target).code == 0
    second = (workspace.folder / log).read_text()
    assert second != first
    journals = sorted((workspace.folder / "results/local/journals/ansor/wide").iterdir())
    logs = [next(journal.glob("first-round-*/log.sqlite")).parent for journal in journals]
    assert {trials_text(log_trials(folder)) for folder in logs} == {first, second}
    assert all(re.match(r"settings-\w+\.device-\w+\.tvm-", j.name) for j in journals)
    reconfigure(workspace, search=seed)
    run = workspace.snakemake(target)
    assert run.code == 0
    assert "complete already, taken from" in run.text
    assert (workspace.folder / log).read_text() == first
