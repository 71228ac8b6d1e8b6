# The validated config, paths, wildcards and what every rule's parameters are made of.
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(workflow.basedir, "src"))

from rivulet.workflow.locks import release_stale_lock
from rivulet.workflow.planning import load_workflow_config, reconcile_results
from rivulet.workflow.stages import device_of, execution_settings, stage_settings

CONFIG = load_workflow_config(config, workflow.config_settings.configfiles or workflow.configfiles)
DEVICES = {name: device_of(CONFIG, name) for name in CONFIG.hardware}
MODELS, TRIALS, LOGS = list(CONFIG.models), list(CONFIG.trials), list(CONFIG.logs)
PAIRS = [f"{source}-to-{target}" for source, target in CONFIG.pair_list]

# The running interpreter, unless Snakemake deploys an environment of its own for each rule.
PYTHON = "python" if workflow.deployment_settings.deployment_method else sys.executable
# Changes no result, so it is no parameter: changing it makes nothing stale.
EXECUTION = json.dumps(execution_settings(CONFIG))
ENVIRONMENT = "../envs/rivulet.yaml"

# Measuring jobs take turns on the device, also where no profile sets the limit.
if "device" not in workflow.global_resources:
    workflow.register_resource("device", 1)


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    source="|".join(map(re.escape, MODELS)),
    target="|".join(map(re.escape, MODELS)),
    hardware="|".join(map(re.escape, DEVICES)),
    log_kind="ansor|droplet",
    trials="[1-9][0-9]*",


def settings(stage, *names):
    """A params function: the stage's settings as canonical JSON, by the wildcards that matter."""

    def resolve(wildcards):
        chosen = {name: wildcards[name] for name in names}
        if "trials" in chosen:
            chosen["trials"] = int(chosen["trials"])
        return json.dumps(stage_settings(CONFIG, stage, **chosen), sort_keys=True)

    return resolve


def device_threads(wildcards):
    return DEVICES[wildcards.hardware].threads


if workflow.is_main_process:
    released = release_stale_lock()
    if released:
        print(released, file=sys.stderr)
    reconcile_results(CONFIG)
