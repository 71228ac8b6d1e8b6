"""The shipped SLURM profile on a real cluster: a matrix in which jobs and a node are lost."""

import csv
import itertools
import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from rivulet.provenance import read_record
from rivulet.records.stored import log_trials
from rivulet.records.trials import read_trials
from workflow.conftest import SMALL, Checkout, Run, environment, small_models
from workflow.slurm_cluster import Cluster, SlurmJob, edit_profile, require_slurm

# Long enough that a search goes on for more than the half minute after which SLURM notices a time
# limit: each trial takes a quarter of a second at least.
TRIALS = 140
MEASURE = {
    **SMALL["measure"], "repeats": 5, "min_repeat_ms": 50, "early_stop_ratio": 0,
    "winner_repeats": 1,
}  # fmt: skip
MEASURING = ("roofline", "search", "refine", "transfer", "benchmark")


@dataclass
class Finished:
    """A finished run, and what was done to it.

    Attributes:
        checkout: Where it ran.
        cluster: What it ran on.
        run: What Snakemake said.
        jobs: The cluster's jobs.
        before: What was done to a search, to the trials recorded right before.
        victims: What was done, to the job that it was done to.
    """

    checkout: Checkout
    cluster: Cluster
    run: Run
    jobs: list[SlurmJob] = field(default_factory=list)
    before: dict[str, list] = field(default_factory=dict)
    victims: dict[str, SlurmJob] = field(default_factory=dict)

    def of(self, rule: str) -> list[SlurmJob]:
        """The jobs of a rule and its wildcards, in the order of submission."""
        return [job for job in self.jobs if job.rule.startswith(rule)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three nodes: one may be down, and two measure at once all the same."""
    require_slurm()
    with Cluster(tmp_path_factory.mktemp("cluster"), nodes=3) as started:
        yield started


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A matrix of two models, with a job cancelled, a node lost and a time limit on its way."""
    checkout = Checkout(tmp_path_factory.mktemp("slurm"))
    checkout.configure(
        small_models(checkout.folder), trials=[TRIALS], measure=MEASURE, logs=["ansor"],
        hardware={"zen4": {"threads": 1, "at": "cluster"}}, pairs=[["narrow", "wide"]], pool=False,
    )  # fmt: skip
    edit_profile(checkout.folder / "profiles/slurm/config.yaml")
    log = checkout.folder / "snakemake.out"
    done = Finished(checkout, cluster, Run(-1, ""))
    with log.open("w") as stream:
        process = subprocess.Popen(
            cluster.command(), cwd=checkout.folder, env=environment(), text=True, stdout=stream,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            disturb(done)
            process.wait(timeout=900)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            done.jobs = cluster.jobs()
            print("\n".join(job.line() for job in done.jobs))
    done.run = Run(process.returncode, log.read_text())
    assert done.run.code == 0, done.run.text
    return done


def disturb(done: Finished) -> None:
    """Cancel one search, let the node of its second try go down, let another's time be over."""
    cluster = done.cluster

    def after(victim: SlurmJob) -> SlurmJob | None:
        return next(
            (j for j in cluster.jobs() if j.rule == victim.rule and j.number > victim.number), None
        )

    for model, least, what, act in (
        ("wide", 8, "time limit", cluster.end_now),
        ("narrow", 8, "cancelled", cluster.cancel),
        ("narrow", 24, "node lost", lambda job: cluster.set_state(job.node, "down")),
    ):
        rule = f"search_schedules_wildcards_zen4_{TRIALS}_{model}"
        recorded = partial(trials_of, done.checkout, model)
        wait_for(lambda r=recorded, n=least: len(r()) >= n, f"{least} trials of {model}")
        wait_for(partial(cluster.running, rule), f"{rule} to run")
        victim = cluster.running(rule)
        done.before[what], done.victims[what] = recorded(), victim
        act(victim)
        if model == "narrow":
            wait_for(partial(after, victim), f"a job after {victim.number}, which was: {what}")
    wait_for(partial(cluster.running, rule), f"{rule} to run again")
    cluster.set_state(victim.node, "resume")


def trials_of(checkout: Checkout, model: str) -> list:
    found = list(checkout.folder.glob(f"results/zen4/journals/ansor/{model}/*/*/log.sqlite"))
    return log_trials(found[0].parent) if found else []


def wait_for(done, what: str, seconds: float = 300) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, f"waited {seconds} s for {what}"
        time.sleep(0.3)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_job_of_the_matrix_goes_through_the_cluster(finished):
    said = re.findall(r"Job \S+ has been submitted with SLURM jobid (\d+)", finished.run.text)
    assert sorted(map(int, said)) == [job.number for job in finished.jobs]
    assert len({job.node for job in finished.jobs}) >= 2
    rules = {job.rule.split("_wildcards")[0] for job in finished.jobs}
    assert rules == {
        "describe_machine", "export_model", "extract_kernels", "measure_roofline",
        "compile_untuned", "search_schedules", "refine_droplet", "transfer_schedules",
        "compile_tuned", "rank_sources", "benchmark_pair", "tables_collect_benchmarks_make_report",
    }  # fmt: skip
    rows = table(finished.checkout.folder / "results/benchmarks.csv")
    methods = {"untuned", "onnxruntime", "ansor", "droplet", "transfer"}
    assert {row["method"] for row in rows} == methods
    assert not any(row["error"] for row in rows)
    assert (finished.checkout.folder / "results/report.html").exists()


def test_measuring_jobs_have_their_node_and_their_limits_to_themselves(finished):
    for job in finished.jobs:
        assert job.exclusive == job.rule.removeprefix("measure_").startswith(MEASURING), job.line()
    changed = finished.victims["time limit"].number
    searches = [job for job in finished.of("search_schedules") if job.number != changed]
    assert {job.minutes for job in searches} == {1440}
    assert {job.minutes for job in finished.of("refine_droplet")} == {720}
    assert {job.minutes for job in finished.of("compile_tuned")} == {60}


def test_a_cancelled_search_is_tried_again_and_goes_on_from_its_log(finished):
    victim = finished.victims["cancelled"]
    assert next(j for j in finished.jobs if j.number == victim.number).state == "CANCELLED"
    assert f"SLURM-job '{victim.number}' failed, SLURM status is: 'CANCELLED'" in finished.run.text
    assert goes_on(finished, "narrow", finished.before["cancelled"])


def test_a_lost_node_costs_the_batch_in_flight_and_the_job_goes_on_elsewhere(finished):
    victim = finished.victims["node lost"]
    assert next(j for j in finished.jobs if j.number == victim.number).state == "NODE_FAIL"
    again = next(j for j in finished.of(victim.rule) if j.number > victim.number)
    assert again.node not in ("", victim.node)
    assert again.state == "COMPLETED"
    assert goes_on(finished, "narrow", finished.before["node lost"])


def test_a_search_past_its_time_limit_ends_in_order_and_goes_on_from_its_log(finished):
    victim = finished.victims["time limit"]
    again = [job for job in finished.of(victim.rule) if job.number > victim.number]
    assert next(j for j in finished.jobs if j.number == victim.number).state == "TIMEOUT"
    assert [job.state for job in again] == ["COMPLETED"]
    stopped, resumed = (said_by(finished, job) for job in (victim, again[0]))
    assert "search wide: stopped by SIGTERM; what was recorded is kept" in stopped
    recorded = re.findall(r"(\d+)/\d+ trials", stopped)
    assert int(re.search(r"(\d+)/\d+ trials", resumed).group(1)) >= int(recorded[-1]) > 0
    assert goes_on(finished, "wide", finished.before["time limit"])


def said_by(finished: Finished, job: SlurmJob) -> str:
    """What a job wrote to its log of SLURM's, which are kept."""
    logs = finished.checkout.folder / ".snakemake/slurm_logs"
    return next(logs.glob(f"*/*/{job.number}.log")).read_text()


def goes_on(finished: Finished, model: str, before: list) -> bool:
    """Does the finished log begin with what was recorded, with no candidate measured twice?"""
    place = f"results/zen4/logs/ansor-{TRIALS}/{model}/trials.csv"
    after = read_trials(finished.checkout.folder / place)
    assert len(after) == TRIALS == len({(t.kernel, t.candidate) for t in after})
    return after[: len(before)] == before


def test_nodes_measure_in_parallel_and_none_measures_two_things_at_once(finished):
    measuring = [job for job in finished.jobs if job.exclusive and job.start and job.end]
    pairs = list(itertools.combinations(measuring, 2))
    together = [(a, b) for a, b in pairs if a.start < b.end and b.start < a.end]
    assert together
    for one, other in together:
        assert one.node != other.node, f"{one.line()}\n{other.line()}"


def test_records_tell_the_node_s_fingerprint_and_nothing_is_stale_afterwards(finished):
    folder = finished.checkout.folder
    machine = read_record(folder / "results/zen4/machine.json").facts
    assert machine["host"].startswith("node")
    rows = table(folder / "results/benchmarks.csv")
    assert {row["fingerprint"] for row in rows} == {machine["fingerprint"]}
    log = read_record(folder / f"results/zen4/logs/ansor-{TRIALS}/wide/log.json")
    assert log.settings["fingerprint"] == machine["fingerprint"]
    assert f"device-{machine['fingerprint']}" in log.facts["journal"]
    plan = snakemake(finished, "-n")
    assert "Nothing to be done" in plan.text, plan.text
    # A copy has no metadata of Snakemake's, and times in any order.
    hidden = (folder / ".snakemake/metadata").rename(folder / "metadata")
    (folder / "results/zen4/machine.json").touch()
    try:
        finished.checkout.adopt()
        plan = snakemake(finished, "-n")
    finally:
        hidden.rename(folder / ".snakemake/metadata")
    assert "Nothing to be done" in plan.text, plan.text


def test_a_job_on_other_hardware_than_its_name_promises_measures_nothing(finished):
    folder = finished.checkout.folder
    path = folder / "results/zen4/machine.json"
    text = path.read_text()
    record = json.loads(text)
    record["facts"] |= {"cpu": "Another CPU", "fingerprint": "0123456789ab", "host": "elsewhere"}
    path.write_text(json.dumps(record))
    log = folder / "logs/zen4/roofline.log"
    log.unlink()
    try:
        plan = snakemake(finished, "-n")
        run = snakemake(finished, "results/zen4/roofline.csv", "--retries", "0")
    finally:
        path.write_text(text)
    assert {"measure_roofline", "search_schedules", "benchmark_pair"} <= set(plan.jobs)
    assert not {"export_model", "describe_machine"} & set(plan.jobs)
    assert run.code != 0, run.text
    job = finished.cluster.jobs()[-1]
    assert (job.rule.split("_wildcards")[0], job.state) == ("measure_roofline", "FAILED")
    last = log.read_text().splitlines()[-1]
    assert f"hardware 'zen4': node {job.node} has the CPU" in last
    assert "stands for Another CPU (fingerprint 0123456789ab, seen on node elsewhere" in last
    assert "they differ in cpu" in last
    assert "profiles/slurm/config.yaml" in last
    assert not (folder / "results/zen4/roofline.csv").exists()


def snakemake(finished: Finished, *arguments: str) -> Run:
    result = subprocess.run(
        finished.cluster.command(*arguments), cwd=finished.checkout.folder, env=environment(),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400, check=False,
    )  # fmt: skip
    return Run(result.returncode, result.stdout)
