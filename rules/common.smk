# The validated config, paths, wildcards and what every rule's parameters are made of.
import functools
import gc
import itertools
import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent / "src"))

from rivulet import methods, paths
from rivulet.jobs.failures import collect_failures
from rivulet.models.onnx_files import user_files
from rivulet.provenance.checkout import file_of_checkout
from rivulet.records.files import RECORDS, WORKLOADS
from rivulet.workflow.budgets import warn_of_small_budgets
from rivulet.workflow.choices import (
    compiled_records,
    gain_trials,
    planned_hardware,
    ranked_models,
    table_methods,
    transfer_sources,
)
from rivulet.workflow.packages import package_manifests
from rivulet.workflow.plan import Plan
from rivulet.workflow.planning import (
    before_jobs,
    load_workflow_config,
    refuse_missing_results,
    say_notes,
)
from rivulet.workflow.report_files import report_files
from rivulet.workflow.settings import stage_settings
from rivulet.workflow.snakemake_compat import before_planning

# A plan is one large graph that lives until the end: looking for garbage in it again and again would
# take a third of the time.
gc.set_threshold(200_000, 20, 100)

CONFIG_FILES = workflow.config_settings.configfiles or workflow.configfiles
CONFIG = load_workflow_config(config, CONFIG_FILES, plans=workflow.is_main_process)
DATABASE = [WORKLOADS, RECORDS]
MODELS, TRIALS, LOGS = list(CONFIG.models), list(CONFIG.trials), list(CONFIG.logs)
FILES = report_files(CONFIG)

ENVIRONMENT = "../envs/rivulet.yaml"

# All that jobs are given beside what they are of; a run writes it before it plans.
PLAN = Plan(CONFIG)
if not workflow.deployment_settings.deployment_method:
    # The running interpreter, unless Snakemake deploys an environment of its own for each rule.
    PATH = f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
    # Braces are format fields in Snakemake's shell commands.
    shell.prefix(PATH.replace("{", "{{").replace("}", "}}"))


def command(script):
    """The shell command of a job: its script, the plan, and the record to make.

    Args:
        script: Name of its file in scripts/.
    """
    path = file_of_checkout(f"scripts/{script}.py")
    return f"python {path} --plan {PLAN.path} --record {{output.record}} --log {{log}}"


# Measuring jobs take turns on the device, also where no profile sets the limit.
if "device" not in workflow.global_resources:
    workflow.register_resource("device", 1)


# What is the same for all hardware is no function: a function costs Snakemake more, per job, than
# all else that a rule says.
THREADS = {name: PLAN.device(name).threads for name in planned_hardware(CONFIG)}
AT_CLUSTER = [name for name, one in CONFIG.hardware.items() if one.at == "cluster"]


def threads_of_hardware(wildcards):
    return THREADS[wildcards.hardware]


def file_of_hardware(wildcards):
    if wildcards.hardware not in AT_CLUSTER:
        return []
    return [f"{paths.MACHINE.format(**wildcards)}.json"]


device_threads = (
    threads_of_hardware
    if len({*THREADS.values()}) > 1
    else next(iter(THREADS.values()), 1)
)
# The description of a cluster's node; hardware that is this machine has none.
MACHINE_FILE_OF = file_of_hardware if AT_CLUSTER else []
# What the rules of a pair read of its target.
MODEL_OF_TARGET = paths.MODEL.at(model="{target}")
KERNELS_OF_TARGET = paths.KERNELS.at(model="{target}")
UNTUNED_OF_TARGET = paths.COMPILED_UNTUNED.at(model="{target}")


def one_of(names):
    return "|".join(map(re.escape, names))


wildcard_constraints:
    model=one_of(MODELS),
    source=one_of([*MODELS, *CONFIG.donors, paths.POOL]),
    target=one_of(MODELS),
    # Hardware elsewhere has no rules: its files are taken as they are.
    hardware=one_of(THREADS) or "(?!)",
    log_kind=one_of(methods.source_kinds()),
    own_log=one_of(one.folder for one in methods.own()),
    moved=one_of(one.folder for one in methods.moved()),
    trials="[1-9][0-9]*",


def settings(stage, *names):
    """A params function: the stage's settings as canonical JSON, by the wildcards that matter."""

    @functools.cache  # a large matrix asks for the same ones thousands of times
    def text(*values):
        chosen = dict(zip(names, values))
        if "trials" in chosen:
            chosen["trials"] = int(chosen["trials"])
        settings_now = stage_settings(PLAN, stage, **chosen)
        return sys.intern(json.dumps(settings_now, sort_keys=True))

    return lambda wildcards: text(*(wildcards[name] for name in names))


def user_file(wildcards):
    """The user's ONNX file, the weights beside it and the values for its inputs."""
    return user_files(CONFIG.plain["models"][wildcards.model])


# A transfer's sources: one model or donor, or the pool of all of them.
def source_logs(wildcards):
    """NAME=FOLDER of each source."""
    sources = transfer_sources(CONFIG, wildcards.source, wildcards.target)
    own = paths.OWN_LOG.at(own_log="{log_kind}")
    return [
        f"{name}={CONFIG.donors[name].log if name in CONFIG.donors else own.format(model=name, **wildcards)}"
        for name in sources
    ]


def files_of_sources(wildcards):
    """What a transfer waits for: records of the workflow's own logs, databases of donors."""
    files = []
    for one in source_logs(wildcards):
        name, _, folder = one.partition("=")
        kept = DATABASE if name in CONFIG.donors else [paths.RECORD]
        files += [f"{folder}/{file}" for file in kept]
    return files


def names_of_pair(wildcards):
    """The methods of a pair's table, in order."""
    return table_methods(CONFIG, wildcards)


@functools.cache  # a large matrix asks for the same ones thousands of times
def records_of_methods(source, log_kind):
    return compiled_records(CONFIG, source, log_kind).values()


def records_of_pair(wildcards):
    patterns = records_of_methods(wildcards.source, wildcards.log_kind)
    return [pattern.format(**wildcards) for pattern in patterns]


def compiled_record(name):
    """Pattern of the record of a method's compiled model."""
    return paths.compiled_record_of(methods.method_of(name))


def record_of_moved(wildcards):
    """Record of a transfer's compiled model, from a log without droplet."""
    (method,) = [one for one in methods.moved() if one.folder == wildcards.moved]
    return paths.compiled_record_of(method).format(log_kind="ansor", **wildcards)


def all_pair_tables(wildcards):
    """The tables of all pairs, those made elsewhere included; these must be here."""
    refuse_missing_results(CONFIG)
    return FILES.pair_tables


def leaves_others():
    """Does a failing job keep Snakemake from the other models?"""
    execution = workflow.execution_settings  # not known yet when this file is read
    return len(MODELS) > 1 and execution is not None and not execution.keep_going


onstart:
    # Of neither a dry run nor a job, which read this file as well.
    collect_failures(leaves_others)


# Reading this file changes nothing on disk: --dry-run, --lint, --dag and the like only look.
if workflow.is_main_process:
    say_notes(CONFIG)
    warn_of_small_budgets(CONFIG)
    before_planning(
        workflow,
        lambda runs, targets: before_jobs(PLAN, runs, CONFIG_FILES, targets),
    )
