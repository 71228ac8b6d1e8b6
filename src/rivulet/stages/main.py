"""The command line that all stages share: a plan or a config, and what the artefact is of."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet.config.load import load_config
from rivulet.errors import UserError
from rivulet.jobs.job import run_job
from rivulet.stages.stage import Stage
from rivulet.workflow.choices import planned_hardware
from rivulet.workflow.plan import Plan

_MEANINGS = {
    "model": "name of the model in the config",
    "hardware": "name of the hardware in the config; the only one there unless given",
    "trials": "trial count of Ansor's search, of the logs that it starts from too",
    "source": "source of the pair: a model, a donor, or 'pool'",
    "target": "target of the pair: a model",
    "log_kind": "kind of the sources' logs",
    "own_log": "kind of the model's own log",
    "moved": "kind of the transfer",
}


def stage_class(name: str) -> type[Stage[Any]]:
    """The class of a stage: ``STAGE`` in the module of its name.

    Raises:
        ModuleNotFoundError: There is no such stage.
    """
    found: type[Stage[Any]] = importlib.import_module(
        f"rivulet.stages.{name.replace('-', '_')}"
    ).STAGE
    return found


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a stage's job; returns the exit status.

    Args:
        name: Name of the stage.
        arguments: The command line after the stage's name; that of the process unless given.
    """
    chosen = stage_class(name)
    options = _parser(name, chosen).parse_args(arguments)
    try:
        plan = Plan.read(options.plan) if options.plan else Plan(load_config(options.configfile))
        stage = chosen(plan, _values(plan, chosen, options))
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    return run_job(stage.label, options.log or stage.text_log, stage.run)


def _parser(name: str, chosen: type[Stage[Any]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"rivulet {name}", description=chosen.about)
    given = parser.add_mutually_exclusive_group()
    given.add_argument(
        "--configfile", "--config", type=Path, default=Path("config/config.yaml"), metavar="FILE",
        help="the configuration (default: config/config.yaml)",
    )  # fmt: skip
    given.add_argument(
        "--plan", type=Path, metavar="FILE", help="what a run of the workflow has written for it"
    )
    for key in chosen.keys:
        parser.add_argument(
            f"--{key.replace('_', '-')}", dest=key, required=key != "hardware",
            metavar=key.upper(), help=_MEANINGS[key],
        )  # fmt: skip
    parser.add_argument(
        "--log", type=Path, help="log file (default: where the workflow has it, in logs/)"
    )
    return parser


def _values(plan: Plan, chosen: type[Stage[Any]], options: argparse.Namespace) -> dict[str, str]:
    """What the job is of, after checking it against the config.

    Raises:
        UserError: The config does not know it.
    """
    config = plan.config
    hardware = planned_hardware(config)
    known = {
        "model": list(config.models),
        "target": list(config.models),
        "hardware": hardware,
    }
    values = {key: getattr(options, key) for key in chosen.keys}
    if values.get("hardware", "") is None:
        if len(hardware) != 1:
            raise UserError(f"--hardware: which one? The config has {', '.join(hardware)}")
        values["hardware"] = hardware[0]
    for key, value in values.items():
        if key in known and value not in known[key]:
            raise UserError(f"--{key}: the config has no '{value}'; it has {', '.join(known[key])}")
    if "trials" in values and not (values["trials"].isdecimal() and int(values["trials"])):
        raise UserError(f"--trials: {values['trials']} is no number of trials")
    return values
