# The validated config, paths, wildcards and what every rule's parameters are made of.
import json
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.join(workflow.basedir, "src"))

from rivulet.workflow.budgets import warn_of_small_budgets
from rivulet.workflow.locks import release_stale_lock
from rivulet.workflow.packages import package_manifests
from rivulet.workflow.planning import load_workflow_config, reconcile_results
from rivulet.workflow.report_files import report_files
from rivulet.workflow.stages import (
    baselines_of,
    connections_of,
    device_of,
    execution_settings,
    gain_trials,
    refines_transfers,
    stage_settings,
    studies_gain,
    transfer_names,
    transfer_sources,
)

CONFIG = load_workflow_config(
    config, workflow.config_settings.configfiles or workflow.configfiles
)
DEVICES = {name: device_of(CONFIG, name) for name in CONFIG.hardware}
MODELS, TRIALS, LOGS = list(CONFIG.models), list(CONFIG.trials), list(CONFIG.logs)
TRANSFERS = transfer_names(CONFIG)
GAINS = studies_gain(CONFIG)
FILES = report_files(CONFIG)
REFINES = refines_transfers(CONFIG)
# Where a search is published on its way; the comparisons with droplet look at further moments.
MILESTONES = sorted({*TRIALS, *(gain_trials(CONFIG)[0] if GAINS else [])})
WARM = CONFIG.warm_start.share > 0

ENVIRONMENT = "../envs/rivulet.yaml"

# What changes no result is no parameter, so that changing it makes nothing stale: how jobs build,
# at which other trial counts a search stops on its way, and the running interpreter, unless
# Snakemake deploys an environment of its own for each rule.
PREFIX = (
    f"export RIVULET_EXECUTION={shlex.quote(json.dumps(execution_settings(CONFIG)))}; "
    f"export RIVULET_CONNECTIONS={shlex.quote(json.dumps(connections_of(CONFIG)))}; "
    f"export RIVULET_MILESTONES={shlex.quote(json.dumps(MILESTONES))}; "
)
if not workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
# For the records of benchmarks; not in the commands, where a large config would hide all else when
# one of them fails. A job on a cluster reads this file anew.
os.environ["RIVULET_CONFIG"] = CONFIG.canonical_json()
# Braces are format fields in Snakemake's shell commands.
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))

# Measuring jobs take turns on the device, also where no profile sets the limit.
if "device" not in workflow.global_resources:
    workflow.register_resource("device", 1)


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    source="|".join(map(re.escape, [*MODELS, *CONFIG.library, "pool"])),
    target="|".join(map(re.escape, MODELS)),
    hardware="|".join(map(re.escape, DEVICES)),
    log_kind="ansor|droplet",
    own_log="ansor|droplet|warm",
    trials="[1-9][0-9]*",


def settings(stage, *names):
    """A params function: the stage's settings as canonical JSON, by the wildcards that matter."""

    def resolve(wildcards):
        chosen = {name: wildcards[name] for name in names}
        if "trials" in chosen:
            chosen["trials"] = int(chosen["trials"])
        return json.dumps(stage_settings(CONFIG, stage, **chosen), sort_keys=True)

    return resolve


def user_file(wildcards):
    """The user's ONNX file is an input; a torchvision model has none."""
    definition = CONFIG.models[wildcards.model]
    return [definition.onnx] if hasattr(definition, "onnx") else []


def device_threads(wildcards):
    return DEVICES[wildcards.hardware].threads


# A transfer's sources: one model or log of the library, or the pool of all of them.
def source_models(wildcards):
    """The models among a transfer's sources; the others are logs of the library."""
    sources = transfer_sources(CONFIG, wildcards.source, wildcards.target)
    return [name for name in sources if name in CONFIG.models]


def of_sources(*patterns):
    """An input function: files of each source model, on the hardware and of the log."""

    def resolve(wildcards):
        return [
            pattern.format(model=model, **wildcards)
            for model in source_models(wildcards)
            for pattern in patterns
        ]

    return resolve


def library_files(wildcards):
    sources = transfer_sources(CONFIG, wildcards.source, wildcards.target)
    return [
        f"{CONFIG.library[name].log}/{file}"
        for name in sources
        if name in CONFIG.library
        for file in ("database_workload.json", "database_tuning_record.json")
    ]


def source_logs(wildcards):
    """NAME=FOLDER of each source."""
    sources = transfer_sources(CONFIG, wildcards.source, wildcards.target)
    own = "results/{hardware}/logs/{log_kind}-{trials}/{model}"
    return [
        f"{name}={CONFIG.library[name].log if name in CONFIG.library else own.format(model=name, **wildcards)}"
        for name in sources
    ]


# A target's own methods, beside which a transfer is timed.
def own_methods(wildcards):
    warm = wildcards.source == "pool" and wildcards.log_kind == "ansor" and WARM
    return ["ansor", "droplet"] + (["warm"] if warm else [])


def methods(wildcards):
    refined = ["transfer+droplet"] if is_refined(wildcards) else []
    baselines = baselines_of(CONFIG, wildcards.target, wildcards.hardware)
    return [*baselines, *own_methods(wildcards), "transfer", *refined]


def of_untuned(pattern):
    """An input function: a file of the untuned model, where it is timed."""
    return lambda wildcards: (
        [pattern.format(**wildcards)] if "untuned" in CONFIG.benchmark.baselines else []
    )


def is_refined(wildcards):
    """Does the pair's table have droplet search on what the transfer has taken?"""
    return REFINES and wildcards.log_kind == "ansor"


def of_refined(*patterns):
    """An input function: files of that, where the table has it."""
    return lambda wildcards: [
        pattern.format(**wildcards) for pattern in patterns if is_refined(wildcards)
    ]


def record_of_moved(wildcards):
    """Record of a transfer's compiled model; without droplet search it is the log's own."""
    if wildcards.moved == "transfer":
        place = (
            "results/{hardware}/transfer/ansor-{trials}/{source}-to-{target}/log.json"
        )
        return place.format(**wildcards)
    folder = "results/{hardware}/libraries/transfer-droplet-ansor-{trials}"
    return f"{folder}/{{source}}-to-{{target}}.json".format(**wildcards)


def of_methods(pattern):
    """An input function: one file for each of the target's own logs."""
    return lambda wildcards: [
        pattern.format(method=method, **wildcards) for method in own_methods(wildcards)
    ]


if workflow.is_main_process:
    released = release_stale_lock()
    if released:
        print(released, file=sys.stderr)
    reconcile_results(CONFIG)
    warn_of_small_budgets(CONFIG)
