"""Bad input, a failing model, kills: what a person sees, and what is left."""

import os
import signal
import subprocess
import time

import psutil

from rivulet.hardware import device_lock
from rivulet.records.stored import log_trials
from rivulet.records.trials import read_trials
from workflow.conftest import Checkout, Run, environment, small_models


def test_one_pair_by_name_builds_its_ancestors_only(checkout):
    models = small_models(checkout.folder)
    models["third"] = {"torchvision": "resnet18", "shape": [1, 3, 32, 32]}
    checkout.configure(models)
    run = checkout.plan("results/local/benchmarks/ansor-24/narrow-to-wide.csv")
    assert run.jobs == {
        "export_model": 2,
        "extract_kernels": 2,
        "search_schedules": 2,
        "refine_droplet": 1,
        "transfer_schedules": 1,
        "compile_untuned": 1,
        "compile_tuned": 2,
        "measure_roofline": 1,
        "benchmark_pair": 1,
    }
    assert "third" not in run.text
    run = checkout.plan("results/local/benchmarks/droplet-24/narrow-to-wide.csv")
    assert run.jobs["refine_droplet"] == 2


def test_a_bad_config_is_one_line(checkout):
    checkout.configure({"a": {"torchvision": "resnet19"}})
    run = checkout.snakemake("-n")
    assert run.code == 1
    lines = [line for line in run.text.splitlines() if not line.startswith("Using ")]
    assert lines == [
        "config/test.yaml: models.a.torchvision: 'resnet19' is no torchvision classification "
        "model; did you mean 'resnet18'?"
    ]


def test_too_many_threads_are_one_line(checkout):
    checkout.configure(small_models(checkout.folder), hardware={"local": {"threads": 1024}})
    run = checkout.snakemake("-n")
    assert run.code == 1
    assert "hardware.local.threads: 1024 threads asked for, but this process may use" in run.text
    assert "Traceback" not in run.text


def test_the_plain_call_takes_the_default_config(checkout):
    run = subprocess.run(
        [a for a in checkout.command("-n") if a not in ("--configfile", "config/test.yaml")],
        cwd=checkout.folder, text=True, capture_output=True, env=environment(), check=True,
    )  # fmt: skip
    for model in ("resnet50", "googlenet", "alexnet"):
        assert f"results/local/logs/ansor-5000/{model}/trials.csv" in run.stdout
    jobs = Run(0, run.stdout).jobs
    # Each search goes on for the study of droplet's gain; from each log the pairs, and the pool of
    # the others for each model.
    assert (jobs["search_schedules"], jobs["transfer_schedules"]) == (3 + 3, 2 * (6 + 3))
    # What transfers from logs without droplet took is refined.
    assert (jobs["refine_droplet"], jobs["refine_transfer"]) == (3, 6 + 3)
    assert (jobs["measure_droplet_gain"], jobs["measure_droplet_effect"]) == (3, 6)


def test_a_failing_model_does_not_stop_the_others(checkout):
    models = small_models(checkout.folder)
    (checkout.folder / "mine/broken.onnx").write_bytes(b"not a model")
    models["broken"] = {"onnx": "mine/broken.onnx"}
    checkout.configure(models)
    logs = [f"results/local/logs/ansor-24/{name}/log.json" for name in models]
    run = checkout.snakemake("--keep-going", *logs)
    assert run.code != 0
    assert "export broken: mine/broken.onnx: not a valid ONNX model" in run.text
    assert "(log: logs/models/broken.log)" in run.text
    assert "not a valid ONNX model" in (checkout.folder / "logs/models/broken.log").read_text()
    assert [(checkout.folder / log).exists() for log in logs] == [True, True, False]


def test_a_dry_run_leaves_the_failures_of_a_running_workflow_alone(checkout):
    checkout.configure(small_models(checkout.folder))
    noted = checkout.folder / "logs/failures.jsonl"
    noted.parent.mkdir(exist_ok=True)
    noted.write_text('"a model failed"\n')
    run = checkout.plan("results/models/wide.onnx")
    assert "a model failed" not in run.text
    assert noted.read_text() == '"a model failed"\n'
    run = checkout.snakemake("results/models/wide.onnx")
    assert run.code == 0, run.text
    assert "a model failed" not in run.text
    assert not noted.exists()


def test_an_unforeseen_failure_leaves_its_traceback_in_the_log(checkout):
    checkout.configure(small_models(checkout.folder))
    assert checkout.snakemake("results/local/kernels/wide.csv").code == 0
    path = checkout.folder / "src/rivulet/tuning/scheduler.py"
    path.write_text(path.read_text().replace("def choose", "def choose_not"))
    run = checkout.snakemake("results/local/logs/ansor-24/wide/log.json")
    assert run.code != 0
    assert "search wide: AttributeError:" in run.text
    assert "(log: logs/local/logs/ansor-24/wide.log)" in run.text
    assert "Traceback" in (checkout.folder / "logs/local/logs/ansor-24/wide.log").read_text()


def wait_for(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.05)
    return value


def has_ended(process):
    """Also where whoever adopts orphans has not asked for its status yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_workflow_goes_on_where_it_was(checkout):
    checkout.configure(small_models(checkout.folder), trials=[60])
    target = "results/local/logs/ansor-60/wide/log.json"

    def trials():
        found = list(checkout.folder.glob("results/local/journals/ansor/wide/*/*/log.sqlite"))
        return log_trials(found[0].parent) if found else []

    process = subprocess.Popen(
        checkout.command(target), cwd=checkout.folder, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: len(trials()) >= 12, "the twelfth trial")
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Its jobs notice and end by themselves, so that the device is free again.
    wait_for(lambda: all(map(has_ended, children)), "the end of the orphans", 15)
    before = trials()
    assert 12 <= len(before) < 60
    run = checkout.snakemake(target)
    assert run.code == 0, run.text
    assert "the lock of an earlier run that was killed is released" in run.text
    after = read_trials(checkout.folder / "results/local/logs/ansor-60/wide/trials.csv")
    assert after[: len(before)] == before
    assert len(after) == 60
    assert len({(t.kernel, t.candidate) for t in after}) == 60


def test_a_job_on_another_machine_than_planned_measures_nothing(checkout):
    checkout.configure(small_models(checkout.folder))
    assert checkout.snakemake("results/local/kernels/wide.csv").code == 0
    path = checkout.folder / "src/rivulet/workflow/plan.py"
    text = path.read_text()
    path.write_text(text.replace("else fingerprint(device)", 'else "0123456789ab"'))
    run = checkout.snakemake("results/local/logs/ansor-24/wide/log.json")
    assert run.code != 0
    assert "hardware 'local': this machine has the fingerprint" in run.text
    assert not list(checkout.folder.glob("results/local/journals/ansor/wide/*/*/log.sqlite"))


def test_two_workflows_take_turns_on_the_device(tmp_path):
    target = "results/local/logs/ansor-24/wide/log.json"
    checkouts = [Checkout(tmp_path / name) for name in ("one", "two")]
    for checkout in checkouts:
        checkout.configure({"wide": small_models(checkout.folder)["wide"]})
        assert checkout.snakemake("results/local/kernels/wide.csv").code == 0
    with device_lock("cpu", "a benchmark elsewhere"):
        running = [
            subprocess.Popen(
                c.command(target), cwd=c.folder, env=environment(), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            for c in checkouts
        ]  # fmt: skip
        logs = [c.folder / "logs/local/logs/ansor-24/wide.log" for c in checkouts]
        wait_for(
            lambda: all(
                log.exists() and "waiting for the device" in log.read_text() for log in logs
            ),
            "the message of the waiting jobs",
        )
        assert not list(tmp_path.glob("*/results/local/journals/*/*/*/*/log.sqlite"))
    texts = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], texts
    assert all("in use by a benchmark elsewhere (process" in text for text in texts)
    spans = []
    for checkout in checkouts:
        trials = read_trials(checkout.folder / "results/local/logs/ansor-24/wide/trials.csv")
        (journal,) = checkout.folder.glob("results/local/journals/ansor/wide/*/*/log.sqlite")
        spans.append((journal.stat().st_mtime, trials[-1].elapsed_s))
    (first, _), (second, lasted) = sorted(spans)
    assert second - lasted >= first - 0.5, "the second search began before the first was over"
