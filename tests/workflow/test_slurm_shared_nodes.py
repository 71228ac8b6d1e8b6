"""Measuring jobs that share a node of a real SLURM cluster, each bound to its own cores."""

import contextlib
import itertools
import os
import re
import subprocess
import time
from datetime import datetime

import psutil
import pytest

from rivulet.records.trials import read_trials
from workflow.conftest import SMALL, Checkout, environment, small_models
from workflow.slurm_cluster import Cluster, edit_profile, require_slurm

TRIALS = 24
MODELS = ("narrow", "wide")
# Each search takes some seconds, so that one waits for the other where both start at once.
MEASURE = {**SMALL["measure"], "min_repeat_ms": 50, "early_stop_ratio": 0}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    require_slurm()
    if not {0, 1} <= os.sched_getaffinity(0):
        pytest.skip(
            "a node's jobs are bound to the cores 0 and 1, which are not given to the tests"
        )
    with Cluster(tmp_path_factory.mktemp("shared"), nodes=1, binding="task/affinity") as started:
        yield started


def test_jobs_on_one_node_keep_to_their_cores_and_measure_in_turns(cluster, tmp_path):
    checkout = Checkout(tmp_path)
    checkout.configure(
        small_models(tmp_path), trials=[TRIALS], measure=MEASURE, logs=["ansor"], pool=False,
        hardware={"zen4": {"threads": 1, "at": "cluster"}},
    )  # fmt: skip
    profile = tmp_path / "profiles/slurm/config.yaml"
    edit_profile(profile)
    text = profile.read_text()
    profile.write_text(text.replace("      measuring: --exclusive", '      measuring: ""', 1))
    # What a search needs comes first, so that both can start at once.
    kernels = [f"results/zen4/kernels/{model}.json" for model in MODELS]
    subprocess.run(cluster.command(*kernels), cwd=tmp_path, env=environment(), check=True)
    logs = [f"results/zen4/logs/ansor-{TRIALS}/{model}/log.json" for model in MODELS]
    said = tmp_path / "snakemake.out"
    given, used = {}, {}
    with said.open("w") as stream:
        process = subprocess.Popen(
            cluster.command(*logs), cwd=tmp_path, env=environment(), text=True, stdout=stream,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while process.poll() is None:
                for model in MODELS:
                    job = cluster.running(f"search_schedules_wildcards_zen4_{TRIALS}_{model}")
                    if job is not None:
                        given[model] = given.get(model, set()) | cluster.cpus_of(job)
                        used[model] = used.get(model, set()) | cores(cluster.processes_of(job))
                time.sleep(0.3)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            print("\n".join(job.line() for job in cluster.jobs()))
    assert process.returncode == 0, said.read_text()
    first, second = (job for job in cluster.jobs() if job.rule.startswith("search"))
    assert first.start < second.end
    assert second.start < first.end
    assert not first.exclusive
    assert not second.exclusive
    # Both had a core of their own all the while, also for what they started.
    assert sorted(map(sorted, given.values())) == [[0], [1]]
    assert used == given
    texts = [(tmp_path / f"logs/zen4/logs/ansor-{TRIALS}/{m}.log").read_text() for m in MODELS]
    waiting = "waiting for the device 'cpu', in use by search "
    assert sum(waiting in text for text in texts) == 1
    begin = f" 0/{TRIALS} trials"
    spans = sorted((time_of(text, begin), time_of(text, "done in")) for text in texts)
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert start >= end
    for model in MODELS:
        trials = read_trials(tmp_path / f"results/zen4/logs/ansor-{TRIALS}/{model}/trials.csv")
        assert len(trials) == TRIALS


def cores(processes: list[psutil.Process]) -> set[int]:
    """The cores that any thread of some processes may run on."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            for thread in process.threads():
                found |= os.sched_getaffinity(thread.id)
    return found


def time_of(log: str, what: str) -> datetime:
    """When a job first said something."""
    line = next(line for line in log.splitlines() if what in line and re.match(r"\d{4}-", line))
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")
